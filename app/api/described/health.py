"""The JSON of `/`, `/health` and `/ready`, as models for the OpenAPI document."""

from typing import Any, Literal

from pydantic import Field

from app.openapi.error_models import ErrorBody
from app.openapi.response_model import ResponseModel


class Root(ResponseModel):
    """The name of the service, and links."""

    message: str = Field(description="The name of the service.")
    docs: str = Field(description="The path of the API's documentation.")
    health: str = Field(description="The path of the health check.")


class ClaudeCheck(ResponseModel):
    """The CLI."""

    ok: bool = Field(description="Whether its binary is executable.")
    path: str = Field(description="The path of its binary.")
    version: str = Field(description="What it reports as its version.")
    logged_in: bool | None = Field(description="Whether it is logged in; null until that is known.")


class StateCheck(ResponseModel):
    """STATE_DIR, where jobs are kept."""

    ok: bool = Field(description="Whether jobs can be kept there.")
    writable: bool = Field(description="Whether the gateway can write there.")
    free_bytes: int = Field(description="The free space of its disk.")
    needed_bytes: int = Field(description="The space that must be free: MIN_FREE_DISK.")


class LauncherCheck(ResponseModel):
    """The process that starts jobs."""

    ok: bool = Field(description="Whether it runs.")


class McpCheck(ResponseModel):
    """MCP_CONFIG, if it is set."""

    ok: bool = Field(description="Whether the file is valid.")
    servers: list[str] = Field(description="The names of its servers.")
    error: str | None = Field(None, description="What is wrong with the file.")


class MonitorCheck(ResponseModel):
    """A check in the form of Claude-Code-Server's, for monitors that read it."""

    ok: bool = Field(description="Whether it passed.")
    status: Literal["healthy", "unhealthy"] = Field(description="The same as a word.")
    message: str = Field(description="What was found.")
    details: dict[str, Any] = Field(description="More about it.")
    timestamp: str = Field(description="When it was made.")


class Checks(ResponseModel):
    """What jobs need to run."""

    claude: ClaudeCheck
    state: StateCheck
    launcher: LauncherCheck
    mcp: McpCheck | None = Field(None, description="MCP_CONFIG, if it is set.")
    claudeCli: MonitorCheck = Field(description="The CLI, as Claude-Code-Server reports it.")
    workspace: MonitorCheck = Field(
        description="The folder of workspaces, as Claude-Code-Server reports it."
    )
    mcpConfig: MonitorCheck = Field(description="MCP_CONFIG, as Claude-Code-Server reports it.")


class Health(ResponseModel):
    """The gateway is up, and jobs can run."""

    status: Literal["ok"] = Field(description="Always `ok`.")
    claude_path: str = Field(description="The path of the CLI's binary.")
    claude_version: str = Field(
        description="What the CLI reports as its version.", examples=["2.1.330 (Claude Code)"]
    )
    logged_in: bool | None = Field(
        description="Whether the CLI is logged in, by `claude auth status`, which runs at most once"
        " a minute; null until it has run once."
    )
    capabilities: dict[str, bool] | None = Field(
        description="What the installed CLI can do: fields of `POST /chat` that not every CLI"
        " supports, `turns` (several jobs by one process) and `spares` (a process that is started"
        " before its job). null until it is known, or if it cannot be found out.",
        examples=[{"max_turns": True, "turns": True}],
    )
    version: str = Field(description="The gateway's version.")
    timestamp: str = Field(description="When this was answered.")
    uptime: float = Field(description="Seconds since the gateway was started.")
    checks: Checks


class Unhealthy(ErrorBody):
    """Jobs cannot run; `detail` names the checks that failed."""

    status: Literal["unavailable"] | None = Field(None, description="Always `unavailable`.")
    claude_path: str | None = Field(None, description="The path of the CLI's binary.")
    claude_version: str | None = Field(None, description="What the CLI reports as its version.")
    logged_in: bool | None = Field(None, description="Whether the CLI is logged in.")
    capabilities: dict[str, bool] | None = Field(None, description="What the installed CLI can do.")
    version: str | None = Field(None, description="The gateway's version.")
    timestamp: str | None = Field(None, description="When this was answered.")
    uptime: float | None = Field(None, description="Seconds since the gateway was started.")
    checks: Checks | None = Field(None, description="What jobs need to run.")


class Ready(ResponseModel):
    """Jobs can run."""

    status: Literal["ok"] = Field(description="Always `ok`.")
