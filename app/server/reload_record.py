"""The records of the last reload, and of why it was refused.

`STATE_DIR/reload.json` is for the command that requested the reload, and
`STATE_DIR/refused_reload.json` for the operator, who may look later.
"""

import time
from typing import NamedTuple

from app.processes import Process, identify
from app.state.files import discard
from app.state.record_file import read_as, write_record
from app.text import shortened
from app.timestamps import now

# Characters of an error that are kept, and bytes of the file that has it.
_LONGEST = 2000
_LARGEST = 1 << 16


class Reload(NamedTuple):
    """A reload that the master has carried out or refused.

    `began` is when it began to read the settings (CLOCK_MONOTONIC). `error` is why it was
    refused. Otherwise `host` and `port` are where the gateway listens now, and `replaced` has
    the pid and start time of each worker that serves with the old settings until it has ended.
    """

    began: float
    error: str | None
    host: str
    port: int
    replaced: list[Process]

    def workers_left(self) -> bool:
        """Whether a worker with the old settings still runs. Raises OSError."""
        # What was read are lists.
        return any(identify(each[0]) == tuple(each) for each in self.replaced)


class Refusal(NamedTuple):
    """When a reload was refused, and why."""

    at: str
    error: str


def write_refusal(state: str, began: float, error: str) -> None:
    """Record that a reload was refused. Raises OSError."""
    write_record(_path(state), Reload(began, error, "", 0, [])._asdict())
    refusal = Refusal(now(), shortened(error, _LONGEST))
    write_record(_path(state, "refused_reload"), refusal._asdict())


def write_reload(state: str, began: float, host: str, port: int, workers: list[int]) -> None:
    """Record a reload that replaces the workers with these pids. Raises OSError."""
    replaced = [process for pid in workers if (process := identify(pid))]
    forget_refusal(state)
    write_record(_path(state), Reload(began, None, host, port, replaced)._asdict())


def reload_since(state: str, began: float) -> Reload | None:
    """The reload that began after this time; None while there is none."""
    record = read_as(Reload, _path(state))
    # After a boot, a record of the one before may have a later time than it is now.
    return record if record and began <= record.began <= time.monotonic() else None


def forget_refusal(state: str) -> None:
    """Forget that a reload was refused: the settings were read since then."""
    discard(_path(state, "refused_reload"))


def last_refusal(state: str) -> Refusal | None:
    """The last reload that was refused; None if none was since the settings were read."""
    return read_as(Refusal, _path(state, "refused_reload"), _LARGEST)


def _path(state: str, name: str = "reload") -> str:
    return f"{state}/{name}.json"
