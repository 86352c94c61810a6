"""The check that a reload would work: `gunicorn --check-config` in a process of its own."""

import os
import subprocess
import sys

#: Seconds for the check; the CLI may take a minute to print its version from a cold disk.
PATIENCE = 90.0


def reload_error() -> str | None:
    """Why gunicorn would not start with the present code and settings; None if it would."""
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
