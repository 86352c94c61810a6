"""`claudecode2api completion`: print a script that completes the command line in a shell."""

import argparse
import sys

from app.tool.checkout import Checkout
from app.tool.completion.bash import bash_script
from app.tool.completion.fish import fish_script
from app.tool.completion.words import commands_of
from app.tool.completion.zsh import zsh_script
from app.tool.parser import build_parser

SHELLS = {"bash": bash_script, "zsh": zsh_script, "fish": fish_script}


def completion(_: Checkout, arguments: argparse.Namespace) -> int:
    """Print the script for one shell."""
    sys.stdout.write(SHELLS[arguments.shell](commands_of(build_parser())))
    return 0
