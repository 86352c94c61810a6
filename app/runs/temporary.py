"""A run's own folder for temporary files: made before its CLI starts, gone when it has exited.

The CLI keeps sockets and the output of its tasks there, so jobs that share a folder see each
other, and what they leave grows without bound. The path is short, because the path of a Unix
socket ends at 108 bytes (unix(7)).

The folder is the job's to fill: see `app.state.remove_tree`. What is left when its time is over is
removed by `sweep`. Standard library alone: the supervisor imports this.
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping

from app.state.remove_tree import remove

#: A link in the run's folder, to its folder for temporary files.
RECORD = "temporary"
#: Variables of the CLI's environment that name the folder; an operator's own say where to make it.
VARIABLES = (b"CLAUDE_CODE_TMPDIR", b"TMPDIR")
#: Seconds that `sweep` spends on one job's folder.
SWEEP_PATIENCE = 600.0

_PREFIX = "cc2-"
_DIGITS = 12
# Bytes of the folder in which it is made.
_LONGEST_BASE = 60


def make(run: str, environment: Mapping[bytes, bytes]) -> str:
    """The path of a new folder for the run with this folder.

    It is made where `environment` says, else in /tmp, else in /var/tmp. Raises OSError.
    """
    problem = OSError()
    for base in _bases(environment):
        path = f"{base}/{_PREFIX}{os.urandom(_DIGITS // 2).hex()}"
        record = f"{run}/{RECORD}"
        # First, so that a crash leaves no folder without a record.
        with contextlib.suppress(OSError):
            os.symlink(path, record)
        try:
            os.mkdir(path, 0o700)
        except OSError as error:
            problem = error
            with contextlib.suppress(OSError):
                os.unlink(record)
        else:
            return path
    raise problem


def remove_of(run: str, patience: float, pause: Callable[[], object] = lambda: None) -> bool:
    """Remove the temporary folder of the run with this folder, if any; whether none is left."""
    record = f"{run}/{RECORD}"
    try:
        path = os.readlink(record)
    except OSError:
        return True
    # The job can have changed the record.
    if _is_one(path) and not remove(path, patience, pause):
        return False
    with contextlib.suppress(OSError):
        os.unlink(record)
    return True


def sweep(state: str) -> None:
    """Remove the folders of all runs that have exited, for as long as our parent lives."""
    parent = os.getppid()

    def check() -> None:
        if os.getppid() != parent:
            raise InterruptedError

    for run_id in os.listdir(f"{state}/runs"):
        if os.path.lexists(f"{state}/runs/{run_id}/exited"):
            remove_of(f"{state}/runs/{run_id}", SWEEP_PATIENCE, check)


def _bases(environment: Mapping[bytes, bytes]) -> Iterator[str]:
    for name in VARIABLES:
        base = os.fsdecode(environment.get(name, b"")).rstrip("/")
        if base.startswith("/") and len(os.fsencode(base)) <= _LONGEST_BASE:
            yield base
    yield from ("/tmp", "/var/tmp")  # noqa: S108 - the name in it is random


def _is_one(path: str) -> bool:
    """Whether a path is one that `make` returns.

    >>> _is_one("/tmp/cc2-0123456789ab"), _is_one("/tmp/cc2-0123456789ab/.."), _is_one("/tmp")
    (True, False, False)
    """
    folder, name = os.path.split(path)
    digits = name.removeprefix(_PREFIX)
    return (
        folder.startswith("/")
        and len(digits) == _DIGITS != len(name)
        and not digits.strip("0123456789abcdef")
    )
