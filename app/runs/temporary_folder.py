"""A run's folder for temporary files, from the CLI's start to its exit.

The CLI keeps sockets and the output of its tasks there. In a shared folder, jobs would see each
other's files, and these would pile up. The path is short, because a Unix socket's path has at most
108 bytes (unix(7)).

A job can fill the folder with anything (`app.state.remove_tree`), so each removal has a time limit;
`remove_for_exited_runs` removes the rest later. Standard library alone, because the supervisor
imports this.
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping

from app.state.remove_tree import remove

#: A link in the run's folder, to its folder for temporary files.
RECORD = "temporary"
#: Variables that name the folder for the CLI; the operator's values say where to make it.
VARIABLES = (b"CLAUDE_CODE_TMPDIR", b"TMPDIR")
#: Seconds that `remove_for_exited_runs` spends on one folder.
REMOVE_PATIENCE = 600.0

_PREFIX = "cc2-"
_DIGITS = 12
# The longest path, in bytes, of the folder in which it is made.
_LONGEST_BASE = 60


def make(run: str, environment: Mapping[bytes, bytes]) -> str:
    """Make the temporary folder of the run at `run`; returns its path.

    It is made where `environment` says, else in /tmp, else in /var/tmp. Raises OSError.
    """
    problem = OSError()
    for base in _bases(environment):
        path = f"{base}/{_PREFIX}{os.urandom(_DIGITS // 2).hex()}"
        record = f"{run}/{RECORD}"
        # The record comes first, so that a crash leaves no folder without one.
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


def remove_for_run(run: str, patience: float, pause: Callable[[], object] = lambda: None) -> bool:
    """Remove the temporary folder of the run at `run`, if any; returns whether it is gone."""
    record = f"{run}/{RECORD}"
    try:
        path = os.readlink(record)
    except OSError:
        return True
    # The job may have changed the record.
    if _is_made_here(path) and not remove(path, patience, pause):
        return False
    with contextlib.suppress(OSError):
        os.unlink(record)
    return True


def remove_for_exited_runs(state: str) -> None:
    """Remove the folders of all runs that have exited; stops when the parent process exits."""
    parent = os.getppid()

    def check() -> None:
        if os.getppid() != parent:
            raise InterruptedError

    for run_id in os.listdir(f"{state}/runs"):
        if os.path.lexists(f"{state}/runs/{run_id}/exited"):
            remove_for_run(f"{state}/runs/{run_id}", REMOVE_PATIENCE, check)


def _bases(environment: Mapping[bytes, bytes]) -> Iterator[str]:
    for name in VARIABLES:
        base = os.fsdecode(environment.get(name, b"")).rstrip("/")
        if base.startswith("/") and len(os.fsencode(base)) <= _LONGEST_BASE:
            yield base
    yield from ("/tmp", "/var/tmp")  # noqa: S108 - the name in it is random


def _is_made_here(path: str) -> bool:
    """Whether this can be a path from `make`.

    >>> _is_made_here("/tmp/cc2-0123456789ab"), _is_made_here("/tmp/cc2-0123456789ab/..")
    (True, False)
    >>> _is_made_here("/tmp")
    False
    """
    folder, name = os.path.split(path)
    digits = name.removeprefix(_PREFIX)
    return (
        folder.startswith("/")
        and len(digits) == _DIGITS != len(name)
        and not digits.strip("0123456789abcdef")
    )
