"""The check that a reload would work: `gunicorn --check-config` in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

from app.state.version import reload_refusal

#: Seconds for the check; the CLI may take a minute to print its version from a cold disk.
PATIENCE = 90.0

_CHECKOUT = Path(__file__).parents[2]


def reload_error() -> str | None:
    """Why gunicorn would not start with the present code and settings; None if it would.

    Nor does it reload into code that keeps STATE_DIR in another way (`app.state.version`).
    """
    try:
        refusal = reload_refusal(_CHECKOUT)
    except (OSError, SyntaxError) as error:
        return f"cannot read app/state/version.py: {error}"
    if refusal is not None:
        return refusal
    # With the options that this process was started with.
    command = [sys.executable, *sys.orig_argv[1:], "--check-config"]
    try:
        done = subprocess.run(  # noqa: S603 - our own command
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"gunicorn --check-config took more than {PATIENCE:g} s"
    except OSError as error:
        return f"cannot run {os.fsdecode(sys.executable)}: {error.strerror}"
    if done.returncode == 0:
        return None
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"gunicorn --check-config exited with status {done.returncode}"
