"""Whether jobs can run here: what `GET /health` looks at. Starts nothing and waits for nothing."""

import os
from pathlib import Path
from typing import Any, NamedTuple

from app.jobs.service import JobService
from app.jobs.store import Spool
from app.mcp import servers_in


class Check(NamedTuple):
    """One thing that must be well; `told` is what else there is to say of it."""

    ok: bool
    told: dict[str, Any]


class Fitness:
    """Looks at the CLI, the state folder, the launcher and, if there is one, MCP_CONFIG.

    `min_free` is in bytes.
    """

    def __init__(
        self, spool: Spool, jobs: JobService, claude: str, min_free: int, mcp_config: Path | None
    ) -> None:
        self._spool = spool
        self._jobs = jobs
        self._claude = claude
        self._min_free = min_free
        self._mcp_config = mcp_config

    def checks(self) -> dict[str, Check]:
        """Every check by its name."""
        checks = {"claude": self._cli(), "state": self._state(), "launcher": self._launcher()}
        if self._mcp_config is not None:
            checks["mcp"] = _mcp(self._mcp_config)
        return checks

    def _cli(self) -> Check:
        return Check(os.access(self._claude, os.X_OK), {"path": self._claude})

    def _state(self) -> Check:
        folders = (f"{self._spool.state}/{name}" for name in ("jobs", "runs", "live", "unlogged"))
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


def _mcp(config: Path) -> Check:
    """Whether the file is still as it was at the start: every job reads it."""
    try:
        return Check(True, {"servers": list(servers_in(config))})
    except ValueError as error:
        return Check(False, {"servers": [], "error": str(error)})
