"""The entry point of the command: runs a subcommand and returns its exit status."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from app.tool.answer import answer
from app.tool.cancel import cancel
from app.tool.checkout import Checkout
from app.tool.completion.print_script import completion
from app.tool.config import config
from app.tool.doctor import doctor
from app.tool.end import end
from app.tool.failure import CANCELLED, FAILED, MISUSED, Failure
from app.tool.key import key
from app.tool.logs import logs
from app.tool.parser import build_parser
from app.tool.password import password
from app.tool.ps import ps
from app.tool.questions import questions
from app.tool.reload import reload
from app.tool.run import run
from app.tool.runs import runs
from app.tool.say import say
from app.tool.screen import note
from app.tool.serve import serve
from app.tool.usage import usage

COMMANDS: dict[str, Callable[[Checkout, argparse.Namespace], int]] = {
    "run": run,
    "ps": ps,
    "logs": logs,
    "cancel": cancel,
    "say": say,
    "questions": questions,
    "answer": answer,
    "runs": runs,
    "end": end,
    "usage": usage,
    "serve": serve,
    "reload": reload,
    "doctor": doctor,
    "config": config,
    "password": password,
    "key": key,
    "completion": completion,
}


def main(folder: str, is_package: bool = False) -> int:
    """Run `sys.argv` on the checkout, or the installed package, in this folder.

    Returns the exit status.
    """
    parser = build_parser()
    arguments = parser.parse_args()
    if arguments.command is None:
        parser.print_help(sys.stderr)
        return MISUSED
    try:
        checkout = Checkout(Path(folder), os.environ, is_package=is_package)
        status = COMMANDS[arguments.command](checkout, arguments)
        sys.stdout.flush()
    except Failure as error:
        note(str(error))
        return error.status
    except KeyboardInterrupt:
        return CANCELLED
    except BrokenPipeError:
        # Otherwise Python would report the error again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    return status
