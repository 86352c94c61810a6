"""The record of the last reload, for the command that requested it: `STATE_DIR/reload.json`."""

import time
from typing import NamedTuple

from app.processes import Process, identify
from app.state.record_file import read_as, write_record


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


def write_refusal(state: str, began: float, error: str) -> None:
    """Record that a reload was refused. Raises OSError."""
    write_record(_path(state), Reload(began, error, "", 0, [])._asdict())


def write_reload(state: str, began: float, host: str, port: int, workers: list[int]) -> None:
    """Record a reload that replaces the workers with these pids. Raises OSError."""
    replaced = [process for pid in workers if (process := identify(pid))]
    write_record(_path(state), Reload(began, None, host, port, replaced)._asdict())


def reload_since(state: str, began: float) -> Reload | None:
    """The reload that began after this time; None while there is none."""
    record = read_as(Reload, _path(state))
    # After a boot, a record of the one before may have a later time than it is now.
    return record if record and began <= record.began <= time.monotonic() else None


def _path(state: str) -> str:
    return f"{state}/reload.json"
