"""The settings of similar gateways, each with the setting to use here instead. Pure."""

from collections.abc import Mapping
from typing import NamedTuple


class Instead(NamedTuple):
    """What is used instead of a setting of another gateway.

    `setting` is the one here, if there is one, and `factor` what a number is multiplied by for it.
    Otherwise `advice` says what to do.
    """

    setting: str | None
    advice: str = ""
    factor: float | None = None


_MILLISECONDS = 0.001
#: The names begin like this in one of them.
PREFIX = "CLAUDE_CODE__"

_INSTEAD = {
    "API_KEY": Instead("API_KEYS"),
    "LITELLM_MASTER_KEY": Instead("API_KEYS", "keys have at least 16 characters"),
    "CLAUDE_TOTAL_TIMEOUT_MS": Instead("JOB_TIMEOUT", "in seconds", _MILLISECONDS),
    "CLAUDE_INACTIVITY_TIMEOUT_MS": Instead("JOB_IDLE_TIMEOUT", "in seconds", _MILLISECONDS),
    "PROCESS_KILL_TIMEOUT_MS": Instead("KILL_GRACE", "in seconds", _MILLISECONDS),
    "MCP_CONFIG_PATH": Instead("MCP_CONFIG"),
    "WORKSPACE_BASE_PATH": Instead("WORKSPACES"),
    f"{PREFIX}SERVER__HOST": Instead("HOST"),
    f"{PREFIX}SERVER__PORT": Instead("PORT"),
    f"{PREFIX}CLAUDE__COMMAND": Instead("CLAUDE_PATH"),
    f"{PREFIX}CLAUDE__TIMEOUT_SECONDS": Instead("JOB_TIMEOUT", "in seconds", 1),
    f"{PREFIX}CLAUDE__MAX_CONCURRENT_SESSIONS": Instead("MAX_JOBS"),
    f"{PREFIX}CLAUDE__USE_INTERACTIVE_SESSIONS": Instead("KEEP_ALIVE_CHAT", "in seconds; 0 is off"),
    f"{PREFIX}FILE_ACCESS__SKIP_PERMISSIONS": Instead(
        "DEFAULT_PERMISSION_MODE", "bypassPermissions or default"
    ),
    f"{PREFIX}FILE_ACCESS__ADDITIONAL_DIRS": Instead(None, "requests have add_dir"),
    f"{PREFIX}MCP__ENABLED": Instead("MCP_CONFIG", "empty is off"),
    f"{PREFIX}MCP__CONFIG_FILE": Instead("MCP_CONFIG"),
    f"{PREFIX}MCP__STRICT": Instead(None, "requests have strict_mcp_config"),
    f"{PREFIX}MCP__DEBUG": Instead(None, "requests have debug"),
    f"{PREFIX}CACHE__ENABLED": Instead("CACHE", "in seconds; 0 is off"),
    f"{PREFIX}CACHE__TTL_SECONDS": Instead("CACHE", "in seconds", 1),
    f"{PREFIX}CACHE__MAX_ENTRIES": Instead(None, "answers are kept with their jobs"),
    f"{PREFIX}CONVERSATION__MAX_HISTORY_MESSAGES": Instead(
        None, "the CLI shortens long conversations itself"
    ),
    f"{PREFIX}CONVERSATION__SESSION_TIMEOUT_MINUTES": Instead(
        None, "conversations are kept for 30 days"
    ),
}


def hint_for(name: str, value: str = "") -> str | None:
    """What to write instead of a setting of another gateway; None if `name` is none of those.

    >>> hint_for("CLAUDE_TOTAL_TIMEOUT_MS", "3600000")
    'did you mean JOB_TIMEOUT=3600 (in seconds)?'
    >>> hint_for("WORKSPACE_BASE_PATH", "/srv/x"), hint_for("NODE_ENV")
    ('did you mean WORKSPACES?', None)
    >>> hint_for("CLAUDE_CODE__MCP__DEBUG"), hint_for("CLAUDE_CODE__X")
    ('remove it: requests have debug', 'there is no such setting; see docs/coming-from.md')
    """
    instead = _INSTEAD.get(name)
    if instead is None:
        unknown = "there is no such setting; see docs/coming-from.md"
        return unknown if name.startswith(PREFIX) else None
    if instead.setting is None:
        return f"remove it: {instead.advice}"
    number = _converted(value, instead.factor)
    return (
        f"did you mean {instead.setting}{number}{f' ({instead.advice})' if instead.advice else ''}?"
    )


def hints_for(variables: Mapping[str, str]) -> dict[str, str]:
    """The hints for all of these variables that have one, by their names.

    A hint has no value but the number of a time limit: others may be secrets.
    """
    found = {name: hint_for(name, variables[name]) for name in sorted(variables)}
    return {name: hint for name, hint in found.items() if hint is not None}


def _converted(value: str, factor: float | None) -> str:
    if factor is None or not value.strip().isascii() or not value.strip().isdigit():
        return ""
    return f"={float(value) * factor:.12g}"
