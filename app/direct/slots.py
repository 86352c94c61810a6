"""The slots of requests to the model's API, over all workers: DIRECT_MAX.

STATE_DIR/direct/<id>   a link that names the worker whose request has the slot
"""

import os

from app import processes
from app.direct.failures import DirectFull
from app.processes import Process
from app.state import files
from app.state.lock import locked

_FOLDER = "direct"


class Slots:
    """The slots in one state folder."""

    def __init__(self, state: str, most: int) -> None:
        self._folder = f"{state}/{_FOLDER}"
        self._most = most
        pid, started = processes.this_process()
        self._text = f"{pid} {started} {processes.boot_id()}"

    def take(self, job_id: str) -> None:
        """Take a slot for a job. Raises DirectFull and OSError."""
        try:
            self._take(job_id)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            # At the first request; or a job has damaged it.
            files.make_folder(self._folder)
            self._take(job_id)

    def _take(self, job_id: str) -> None:
        with locked(self._folder):
            taken = [entry.name for entry in os.scandir(self._folder)]
            if len(taken) >= self._most:
                taken = [name for name in taken if self._is_in_use(name)]
            if len(taken) >= self._most:
                raise DirectFull(self._most)
            files.make_link(f"{self._folder}/{job_id}", self._text)

    def release(self, job_id: str) -> None:
        """Release the slot of a job; does nothing if it has none."""
        files.discard(f"{self._folder}/{job_id}")

    def _is_in_use(self, name: str) -> bool:
        """Whether the worker with this slot lives; the slot of a dead one is released."""
        try:
            pid, started, boot_id = (files.read_link(f"{self._folder}/{name}") or "").split(" ")
            process = Process(int(pid), int(started))
            if boot_id == processes.boot_id() and processes.identify(process.pid) == process:
                return True
        except ValueError:
            # A job has put this here.
            pass
        files.discard(f"{self._folder}/{name}")
        return False
