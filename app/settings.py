"""The gateway's settings: one frozen value, read once from the environment and `.env`."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any

from app import setting_parsers as parse
from app.auth.api_keys import ApiKey
from app.env_file import read_env_file
from app.errors import ConfigurationError

# Spaces around these are part of them.
_NOT_STRIPPED = {"AUTH_USER", "AUTH_PASSWORD"}
# The CLI's aliases, and full names that its version 2.1.330 knows. claude-code is DEFAULT_MODEL.
_MODELS = (
    "claude-code,sonnet,opus,haiku,claude-opus-5-5,claude-sonnet-5-5,claude-haiku-5-5,"
    "claude-opus-4-8,claude-sonnet-4-6,claude-haiku-4-5"
)


@dataclass(frozen=True)
class Settings:
    """What the operator chose; each field is the setting of the same name in capitals.

    Sizes are in bytes and times in seconds. `environment` has the variables of `.env` that are
    not settings: they go to the CLI.
    """

    host: str
    port: int
    workers: int
    auth_user: str
    auth_password: str
    api_keys: tuple[ApiKey, ...]
    shared_jobs: bool
    auth_max_failures: int
    forwarded_allow_ips: tuple[IPv4Network | IPv6Network, ...]
    claude_path: str | None
    log_level: str
    log_format: str
    state_dir: Path
    default_model: str
    default_permission_mode: str
    max_body: int
    heartbeat: float
    kill_grace: float
    max_jobs: int
    queue_size: int
    job_timeout: float
    job_idle_timeout: float
    job_retention: float
    ask_timeout: float
    keep_alive: float
    keep_alive_chat: float
    hold_seconds: float
    max_held: int
    max_keep_alive: float
    runs_memory: int
    spares: int
    own_turns: int
    background_wait: float
    max_job_output: int
    min_free_disk: int
    cors_origins: tuple[str, ...]
    allowed_hosts: tuple[str, ...]
    cwd_roots: tuple[Path, ...]
    workspaces: Path | None
    models: tuple[str, ...]
    prompt_options: bool
    mcp_config: Path | None
    env_allowed: tuple[str, ...]
    control_allowed: tuple[str, ...]
    metrics_public: bool
    environment: Mapping[str, str]

    def __repr__(self) -> str:
        """Without values: some are secrets."""
        return "Settings(…)"

    @classmethod
    def load(cls, environ: Mapping[str, str], env_file: Path | None = None) -> "Settings":
        """Read the settings; a variable of the environment wins over one in the file.

        Raises ConfigurationError, which names the setting and what would help, and never
        contains a secret.
        """
        in_file = read_env_file(env_file) if env_file else {}
        for name in in_file:
            _refuse_near_miss(name)
        values: dict[str, Any] = {}
        for name, (default, parser) in _TABLE.items():
            text = environ.get(name, in_file.get(name, default(environ)))
            try:
                values[name.lower()] = parser(text if name in _NOT_STRIPPED else text.strip())
            except ValueError as error:
                raise ConfigurationError(f"cannot use {name}: {error}") from None
        _refuse_namesake(values["auth_user"], values["api_keys"])
        others = {name: text for name, text in in_file.items() if name not in _TABLE}
        return cls(environment=others, **values)


def setting_names() -> frozenset[str]:
    """The names of all settings, as they are written in the environment."""
    return frozenset(_TABLE)


def _refuse_near_miss(name: str) -> None:
    """A mistyped setting would have no effect, and be passed on to every job."""
    if name in _TABLE:
        return
    close = difflib.get_close_matches(name.upper(), _TABLE, n=1, cutoff=0.9)
    if close:
        raise ConfigurationError(f"cannot use {name} in .env; did you mean {close[0]}?")


def _refuse_namesake(user: str, keys: tuple[ApiKey, ...]) -> None:
    if user in [key.name for key in keys]:
        raise ConfigurationError(
            f"cannot use API_KEYS: AUTH_USER is {user!r}, too; give the key another name"
        )


def _default_state_dir(environ: Mapping[str, str]) -> str:
    # systemd's StateDirectory= may name several, separated by colons (systemd.exec(5)).
    given = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    return given or str(Path(environ.get("HOME", "~")) / ".local/state/claudecode2api")


def _is(value: str) -> Callable[[Mapping[str, str]], str]:
    return lambda environ: value


# name: (its default, given the environment; its parser)
_TABLE: dict[str, tuple[Callable[[Mapping[str, str]], str], Callable[[str], object]]] = {
    "HOST": (_is("127.0.0.1"), parse.host),
    "PORT": (_is("9876"), parse.whole(1, 65535)),
    "WORKERS": (_is("2"), parse.whole(1, 256)),
    "AUTH_USER": (_is("admin"), parse.user_name),
    "AUTH_PASSWORD": (_is(""), parse.password),
    "API_KEYS": (_is(""), parse.api_keys),
    "SHARED_JOBS": (_is("false"), parse.switch),
    "AUTH_MAX_FAILURES": (_is("10"), parse.whole(0, 1_000_000)),
    "FORWARDED_ALLOW_IPS": (_is(""), parse.networks),
    "CLAUDE_PATH": (_is(""), parse.optional),
    "LOG_LEVEL": (_is("INFO"), parse.log_level),
    "LOG_FORMAT": (_is("text"), parse.one_of("text", "json")),
    "METRICS_PUBLIC": (_is("false"), parse.switch),
    "STATE_DIR": (_default_state_dir, parse.state_dir),
    "DEFAULT_MODEL": (_is("sonnet"), parse.text),
    "DEFAULT_PERMISSION_MODE": (_is(""), parse.text),
    "MAX_BODY": (_is(str(32 << 20)), parse.whole(1, 1 << 40)),
    "HEARTBEAT": (_is("15"), parse.seconds(0.01, 3600)),
    "KILL_GRACE": (_is("8"), parse.seconds(0.1, 600)),
    "MAX_JOBS": (_is(""), parse.job_count),
    "QUEUE_SIZE": (_is("100"), parse.whole(0, 100_000)),
    "JOB_TIMEOUT": (_is("3600"), parse.seconds(0, 31_536_000)),
    "JOB_IDLE_TIMEOUT": (_is("0"), parse.seconds(0, 31_536_000)),
    "JOB_RETENTION": (_is("86400"), parse.seconds(0, 315_360_000)),
    "ASK_TIMEOUT": (_is("600"), parse.seconds(1, 31_536_000)),
    "KEEP_ALIVE": (_is("0"), parse.seconds(0, 31_536_000)),
    "KEEP_ALIVE_CHAT": (_is("300"), parse.seconds(0, 31_536_000)),
    "HOLD_SECONDS": (_is("120"), parse.seconds(0, 3600)),
    "MAX_HELD": (_is("4"), parse.whole(0, 1000)),
    "MAX_KEEP_ALIVE": (_is("3600"), parse.seconds(0, 31_536_000)),
    "RUNS_MEMORY": (_is(""), parse.runs_memory),
    "SPARES": (_is(""), parse.spare_count),
    "OWN_TURNS": (_is("3"), parse.whole(0, 1_000_000)),
    "BACKGROUND_WAIT": (_is("30"), parse.seconds(0, 31_536_000)),
    "MAX_JOB_OUTPUT": (_is(str(1 << 30)), parse.whole(0, 1 << 50)),
    "MIN_FREE_DISK": (_is(str(256 << 20)), parse.whole(0, 1 << 50)),
    "CORS_ORIGINS": (_is(""), parse.origins),
    "ALLOWED_HOSTS": (_is(""), parse.host_names),
    "CWD_ROOTS": (_is(""), parse.directories),
    "WORKSPACES": (_is(""), parse.optional_path),
    "MODELS": (_is(_MODELS), parse.models),
    "PROMPT_OPTIONS": (_is("false"), parse.switch),
    "MCP_CONFIG": (_is(""), parse.mcp_config),
    "ENV_ALLOWED": (_is(""), parse.variables),
    "CONTROL_ALLOWED": (_is(""), parse.control_requests),
}
