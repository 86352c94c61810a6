"""`claudecode2api serve`: run the gateway in the foreground."""

import argparse
import os
import sys
from pathlib import Path
from typing import NoReturn

from app.tool.checkout import Checkout
from app.tool.failure import UNCONFIGURED, Failure


def serve(checkout: Checkout, arguments: argparse.Namespace) -> NoReturn:
    """Replace this process with gunicorn, in the folder of gunicorn.conf.py and `.env`."""
    if refusal := checkout.root_refusal():
        raise Failure(f"cannot start the gateway: {refusal}", UNCONFIGURED)
    gunicorn = Path(sys.executable).parent / "gunicorn"
    os.chdir(checkout.folder)
    try:
        os.execve(gunicorn, [str(gunicorn)], dict(checkout.environ))  # noqa: S606 - no shell
    except OSError as error:
        raise Failure(
            f"cannot run {gunicorn}: {error.strerror}; make venv/ again (install.sh does)"
        ) from None
