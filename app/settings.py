"""The gateway's settings: one frozen value, read once from the environment and files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any, Literal, NamedTuple

from app import setting_parsers as parse
from app.auth.api_keys import ApiKey
from app.errors import ConfigurationError
from app.setting_sources import SECRET_FILES, Given, Origin, Sources
from app.toml_file import Kind

#: Settings that are never printed.
SECRET = frozenset({"AUTH_PASSWORD", "API_KEYS", "CLAUDE_ACCESS_TOKEN"})
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
    head_delay: float
    cache: float
    kill_grace: float
    retry_grace: float
    max_jobs: int
    queue_size: int
    job_timeout: float
    job_idle_timeout: float
    job_retention: float
    usage_retention: float
    ask_timeout: float
    keep_alive: float
    keep_alive_chat: float
    hold_seconds: float
    max_held: int
    model_retries: int
    start_retries: int
    max_keep_alive: float
    runs_memory: int
    spares: int
    own_turns: int
    background_wait: float
    response_retention: float
    max_job_output: int
    min_free_disk: int
    cors_origins: tuple[str, ...]
    allowed_hosts: tuple[str, ...]
    cwd_roots: tuple[Path, ...]
    workspaces: Path | None
    models: tuple[str, ...]
    model_aliases: Mapping[str, str]
    direct_models: tuple[str, ...]
    direct_max: int
    direct_subscription: bool
    claude_access_token: str
    prompt_options: bool
    chat_mode: Literal["auto", "agent", "model"]
    ignore_tools: bool
    mcp_config: Path | None
    env_allowed: tuple[str, ...]
    control_allowed: tuple[str, ...]
    metrics_public: bool
    console: bool
    environment: Mapping[str, str]

    def __repr__(self) -> str:
        """Without values: some are secrets."""
        return "Settings(…)"

    @classmethod
    def load(
        cls,
        environ: Mapping[str, str],
        env_file: Path | None = None,
        toml_file: Path | None = None,
    ) -> "Settings":
        """Read the settings: from the environment, else `.env`, else the TOML file.

        The TOML file is claudecode2api.toml beside `.env`, if no other is given. Raises
        ConfigurationError, which names the setting and what would help, and never contains a
        secret.
        """
        return load_with_origins(environ, env_file, toml_file)[0]


def load_with_origins(
    environ: Mapping[str, str], env_file: Path | None = None, toml_file: Path | None = None
) -> tuple[Settings, dict[str, Origin]]:
    """The settings as `Settings.load` reads them, and where each of them was given.

    The second also has the variables for the CLI that do not come from the environment.
    """
    sources = Sources(environ, env_file, toml_file, setting_kinds())
    values: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for name, setting in _TABLE.items():
        given = sources.find(name) or Given(setting.default(environ), Origin("default"))
        text = given.text if name in _NOT_STRIPPED else given.text.strip()
        try:
            values[name.lower()] = setting.parser(text)
        except ValueError as error:
            raise given.error(name, error) from None
        origins[name] = given.origin
    _refuse_namesake(values["auth_user"], values["api_keys"])
    for name in sources.others:
        if given_for_cli := sources.find(name):
            origins[name] = given_for_cli.origin
    return Settings(environment=sources.others, **values), origins


def setting_defaults(environ: Mapping[str, str]) -> dict[str, Any]:
    """The default of each setting, None where there is none."""
    defaults: dict[str, Any] = {}
    for name, setting in _TABLE.items():
        try:
            defaults[name] = setting.parser(setting.default(environ))
        except ValueError:
            defaults[name] = None
    return defaults


def load_state_dir(environ: Mapping[str, str], env_file: Path | None) -> Path:
    """STATE_DIR alone: other settings may be unusable. Raises ConfigurationError."""
    setting = _TABLE["STATE_DIR"]
    given = Sources(environ, env_file, None, setting_kinds()).find("STATE_DIR")
    given = given or Given(setting.default(environ), Origin("default"))
    try:
        return parse.state_dir(given.text.strip())
    except ValueError as error:
        raise given.error("STATE_DIR", error) from None


def setting_kinds() -> dict[str, Kind]:
    """The names of all settings, as they are written in the environment, and their types."""
    kinds: dict[str, Kind] = {name: setting.kind for name, setting in _TABLE.items()}
    return {**kinds, **dict.fromkeys(SECRET_FILES, "text")}


def setting_names() -> frozenset[str]:
    """The names of all settings, as they are written in the environment."""
    return _NAMES


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


class _Setting(NamedTuple):
    """How a setting is read: its default, given the environment; its parser and its type."""

    default: Callable[[Mapping[str, str]], str]
    parser: Callable[[str], object]
    kind: Kind = "text"


_TABLE: dict[str, _Setting] = {
    "HOST": _Setting(_is("127.0.0.1"), parse.host),
    "PORT": _Setting(_is("9876"), parse.whole(1, 65535), "whole number"),
    "WORKERS": _Setting(_is("2"), parse.whole(1, 256), "whole number"),
    "AUTH_USER": _Setting(_is("admin"), parse.user_name),
    "AUTH_PASSWORD": _Setting(_is(""), parse.password),
    "API_KEYS": _Setting(_is(""), parse.api_keys, "list"),
    "SHARED_JOBS": _Setting(_is("false"), parse.switch, "switch"),
    "AUTH_MAX_FAILURES": _Setting(_is("10"), parse.whole(0, 1_000_000), "whole number"),
    "FORWARDED_ALLOW_IPS": _Setting(_is(""), parse.networks, "list"),
    "CLAUDE_PATH": _Setting(_is(""), parse.optional),
    "LOG_LEVEL": _Setting(_is("INFO"), parse.log_level),
    "LOG_FORMAT": _Setting(_is("text"), parse.one_of("text", "json")),
    "METRICS_PUBLIC": _Setting(_is("false"), parse.switch, "switch"),
    "CONSOLE": _Setting(_is("true"), parse.switch, "switch"),
    "STATE_DIR": _Setting(_default_state_dir, parse.state_dir),
    "DEFAULT_MODEL": _Setting(_is("sonnet"), parse.text),
    "DEFAULT_PERMISSION_MODE": _Setting(_is(""), parse.text),
    "MAX_BODY": _Setting(_is(str(32 << 20)), parse.whole(1, 1 << 40), "whole number"),
    "HEARTBEAT": _Setting(_is("15"), parse.seconds(0.01, 3600), "number"),
    "CACHE": _Setting(_is("0"), parse.seconds(0, 31_536_000), "number"),
    "HEAD_DELAY": _Setting(_is("50"), parse.seconds(0, 86_400), "number"),
    "KILL_GRACE": _Setting(_is("8"), parse.seconds(0.1, 600), "number"),
    "RETRY_GRACE": _Setting(_is("10"), parse.seconds(0, 3600), "number"),
    "MAX_JOBS": _Setting(_is(""), parse.job_count, "whole number"),
    "QUEUE_SIZE": _Setting(_is("100"), parse.whole(0, 100_000), "whole number"),
    "JOB_TIMEOUT": _Setting(_is("3600"), parse.seconds(0, 31_536_000), "number"),
    "JOB_IDLE_TIMEOUT": _Setting(_is("0"), parse.seconds(0, 31_536_000), "number"),
    "JOB_RETENTION": _Setting(_is("86400"), parse.seconds(0, 315_360_000), "number"),
    "USAGE_RETENTION": _Setting(_is("34560000"), parse.seconds(86_400, 315_360_000), "number"),
    "ASK_TIMEOUT": _Setting(_is("600"), parse.seconds(1, 31_536_000), "number"),
    "KEEP_ALIVE": _Setting(_is("0"), parse.seconds(0, 31_536_000), "number"),
    "KEEP_ALIVE_CHAT": _Setting(_is("300"), parse.seconds(0, 31_536_000), "number"),
    "HOLD_SECONDS": _Setting(_is("120"), parse.seconds(0, 3600), "number"),
    "MAX_HELD": _Setting(_is("4"), parse.whole(0, 1000), "whole number"),
    "MODEL_RETRIES": _Setting(_is("0"), parse.whole(0, 1000), "whole number"),
    "START_RETRIES": _Setting(_is("1"), parse.whole(0, 10), "whole number"),
    "MAX_KEEP_ALIVE": _Setting(_is("3600"), parse.seconds(0, 31_536_000), "number"),
    "RUNS_MEMORY": _Setting(_is(""), parse.runs_memory, "whole number"),
    "SPARES": _Setting(_is(""), parse.spare_count, "whole number"),
    "OWN_TURNS": _Setting(_is("3"), parse.whole(0, 1_000_000), "whole number"),
    "BACKGROUND_WAIT": _Setting(_is("30"), parse.seconds(0, 31_536_000), "number"),
    "RESPONSE_RETENTION": _Setting(_is("2592000"), parse.seconds(0, 31_536_000), "number"),
    "MAX_JOB_OUTPUT": _Setting(_is(str(1 << 30)), parse.whole(0, 1 << 50), "whole number"),
    "MIN_FREE_DISK": _Setting(_is(str(256 << 20)), parse.whole(0, 1 << 50), "whole number"),
    "CORS_ORIGINS": _Setting(_is(""), parse.origins, "list"),
    "ALLOWED_HOSTS": _Setting(_is(""), parse.host_names, "list"),
    "CWD_ROOTS": _Setting(_is(""), parse.directories, "list"),
    "WORKSPACES": _Setting(_is(""), parse.optional_path),
    "MODELS": _Setting(_is(_MODELS), parse.models, "list"),
    "MODEL_ALIASES": _Setting(_is(""), parse.model_aliases, "list"),
    "DIRECT_MODELS": _Setting(_is(""), parse.model_patterns, "list"),
    "DIRECT_SUBSCRIPTION": _Setting(_is("false"), parse.switch, "switch"),
    "CLAUDE_ACCESS_TOKEN": _Setting(_is(""), parse.token),
    "DIRECT_MAX": _Setting(_is("200"), parse.whole(1, 100_000), "whole number"),
    "PROMPT_OPTIONS": _Setting(_is("false"), parse.switch, "switch"),
    "CHAT_MODE": _Setting(_is("auto"), parse.one_of("auto", "agent", "model")),
    "IGNORE_TOOLS": _Setting(_is("false"), parse.switch, "switch"),
    "MCP_CONFIG": _Setting(_is(""), parse.mcp_config),
    "ENV_ALLOWED": _Setting(_is(""), parse.variables, "list"),
    "CONTROL_ALLOWED": _Setting(_is(""), parse.control_requests, "list"),
}

# Asked for each variable of an environment.
_NAMES = frozenset(setting_kinds())
