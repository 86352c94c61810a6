"""The checks of `GET /health` in the form that monitors of Claude-Code-Server read."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from app import timestamps
from app.jobs.health import Check
from app.processes import Process, age


class MonitorChecks(NamedTuple):
    """What such a monitor looks for; the gateway has run since its `master` was started."""

    workspaces: Path
    mcp_config: Path | None
    master: Process

    def fields(self) -> dict[str, Any]:
        """The fields beside `checks`."""
        return {"timestamp": timestamps.now(), "uptime": round(age(self.master), 3)}

    def checks(self, results: Mapping[str, Check], version: str) -> dict[str, Any]:
        """The further checks, beside those in `results`. They have no part in the status."""
        return {
            "claudeCli": self._cli(results["claude"], version),
            "workspace": self._workspace(),
            "mcpConfig": self._mcp_config(results.get("mcp")),
        }

    def _cli(self, check: Check, version: str) -> dict[str, Any]:
        message = "The CLI can be run" if check.ok else "The CLI cannot be run"
        details = {"version": version, "exitCode": 0 if check.ok else None}
        return _shown(check.ok, message, details)

    def _workspace(self) -> dict[str, Any]:
        folder = self.workspaces
        if folder.exists():
            usable = folder.is_dir()
            readable, writable = (usable and os.access(folder, m) for m in (os.R_OK, os.W_OK))
            message = "The folder of workspaces is there"
        else:
            # It is made with the first workspace.
            readable = writable = True
            message = "The folder of workspaces is made with the first of them"
        details = {"path": str(folder), "readable": readable, "writable": writable}
        ok = readable and writable
        return _shown(ok, message if ok else "The folder of workspaces cannot be used", details)

    def _mcp_config(self, check: Check | None) -> dict[str, Any]:
        path = None if self.mcp_config is None else str(self.mcp_config)
        details = {"enabled": check is not None, "configPath": path}
        if check is None:
            return _shown(True, "MCP_CONFIG is not set", details)
        message = "The file can be read" if check.ok else "The file cannot be used"
        return _shown(check.ok, message, details)


def _shown(ok: bool, message: str, details: Mapping[str, object]) -> dict[str, Any]:
    return {
        "ok": ok,
        "status": "healthy" if ok else "unhealthy",
        "message": message,
        "details": details,
        "timestamp": timestamps.now(),
    }
