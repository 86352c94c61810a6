"""The health checks, which find out whether jobs can run. They start nothing and do not wait."""

import os
from pathlib import Path
from typing import Any, NamedTuple

from app.jobs.service import JobService
from app.jobs.store import Spool
from app.mcp import servers_in


class Check(NamedTuple):
    """The result of one check; `details` are further keys of it in `GET /health`."""

    ok: bool
    details: dict[str, Any]


class HealthChecks:
    """The checks of the CLI, the state folder, the launcher and, if it is set, MCP_CONFIG.

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

    def results(self) -> dict[str, Check]:
        """The result of every check, by its name."""
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
            writable, free = False, 0
        details = {"writable": writable, "free_bytes": free, "needed_bytes": self._min_free}
        return Check(writable and free >= self._min_free, details)

    def _launcher(self) -> Check:
        return Check(self._jobs.has_launcher(), {})


def _mcp(config: Path) -> Check:
    """Check that the file is still valid: every job reads it."""
    try:
        return Check(True, {"servers": list(servers_in(config))})
    except ValueError as error:
        return Check(False, {"servers": [], "error": str(error)})
