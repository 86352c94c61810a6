"""The doctor's rows as lines of JSON, for `GET /doctor`: run by the gateway, and without a job."""

import json
import os
import sys
from pathlib import Path

from app.tool.check import ok
from app.tool.checkout import Checkout
from app.tool.doctor import examine
from app.tool.local_users import own_name


def main(folder: str) -> None:
    """Print each row as soon as it is there, for the gateway in this folder."""
    checkout = Checkout(Path(folder), os.environ, is_package=_is_package(Path(folder)))
    for row in examine(checkout, url=None, runs_job=False):
        # Here, the user who asks is the gateway's, whoever owns its settings.
        found = ok("user", own_name()) if row.name == "user" else row
        sys.stdout.write(f"{json.dumps(found._asdict())}\n")
        sys.stdout.flush()


def _is_package(folder: Path) -> bool:
    """Whether the folder is that of an installed package (app/tool/package.py)."""
    return folder.name == "checkout" and folder.parent.name == "claudecode2api"
