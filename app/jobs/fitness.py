"""Whether jobs can run here: what `GET /health` looks at. Starts nothing and waits for nothing."""

import os
from typing import Any, NamedTuple

from app.jobs.service import JobService
from app.jobs.spool import Spool


class Check(NamedTuple):
    """One thing that must be well; `told` is what else there is to say of it."""

    ok: bool
    told: dict[str, Any]


class Fitness:
    """Looks at the CLI, the state folder and the launcher; `min_free` is in bytes."""

    def __init__(self, spool: Spool, jobs: JobService, claude: str, min_free: int) -> None:
        self._spool = spool
        self._jobs = jobs
        self._claude = claude
        self._min_free = min_free

    def checks(self) -> dict[str, Check]:
        """Every check by its name."""
        return {"claude": self._cli(), "state": self._state(), "launcher": self._launcher()}

    def _cli(self) -> Check:
        return Check(os.access(self._claude, os.X_OK), {"path": self._claude})

    def _state(self) -> Check:
        folders = (f"{self._spool.state}/{name}" for name in ("jobs", "live", "untold"))
        writable = all(os.access(folder, os.W_OK | os.X_OK) for folder in folders)
        try:
            free = self._spool.free()
        except OSError:
            return Check(
                False, {"writable": False, "free_bytes": 0, "needed_bytes": self._min_free}
            )
        told = {"writable": writable, "free_bytes": free, "needed_bytes": self._min_free}
        return Check(writable and free >= self._min_free, told)

    def _launcher(self) -> Check:
        return Check(self._jobs.has_launcher(), {})
