"""The gateway's settings: one frozen value, read once from the environment and `.env`."""

import difflib
import io
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

from dotenv.parser import parse_stream

from app import origin
from app.auth.api_keys import ApiKey, read_keys
from app.auth.secret_strength import is_blank, is_placeholder
from app.errors import ConfigurationError
from app.machine import job_capacity
from app.mcp import servers_in

# Spaces around these are part of them.
_AS_WRITTEN = {"AUTH_USER", "AUTH_PASSWORD"}
# What clients are offered: the CLI's aliases, and full names that its version 2.1.330 knows.
# claude-code is DEFAULT_MODEL.
_MODELS = (
    "claude-code,sonnet,opus,haiku,claude-opus-5-5,claude-sonnet-5-5,claude-haiku-5-5,"
    "claude-opus-4-8,claude-sonnet-4-6,claude-haiku-4-5"
)
_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@dataclass(frozen=True)
class Settings:
    """What the operator chose; each field is the setting of the same name in capitals.

    Sizes are in bytes and times in seconds. `environment` holds what else `.env` says: it is
    not ours and goes to the CLI.
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
    max_job_output: int
    min_free_disk: int
    cors_origins: tuple[str, ...]
    allowed_hosts: tuple[str, ...]
    cwd_roots: tuple[Path, ...]
    workspaces: Path | None
    models: tuple[str, ...]
    prompt_options: bool
    mcp_config: Path | None
    metrics_public: bool
    environment: Mapping[str, str]

    def __repr__(self) -> str:
        """Without values: some are secrets."""
        return "Settings(…)"

    @classmethod
    def load(cls, environ: Mapping[str, str], env_file: Path | None = None) -> "Settings":
        """Read the settings; a variable of the environment wins over one in the file.

        Raises ConfigurationError, which names the setting and what would help, and never
        the value of a secret.
        """
        written = read_env_file(env_file) if env_file else {}
        for name in written:
            _refuse_near_miss(name)
        values: dict[str, Any] = {}
        for name, (default, read) in _READERS.items():
            text = environ.get(name, written.get(name, default(environ)))
            try:
                values[name.lower()] = read(text if name in _AS_WRITTEN else text.strip())
            except ValueError as error:
                raise ConfigurationError(f"cannot use {name}: {error}") from None
        _refuse_namesake(values["auth_user"], values["api_keys"])
        others = {name: text for name, text in written.items() if name not in _READERS}
        return cls(environment=others, **values)


def _refuse_namesake(user: str, keys: tuple[ApiKey, ...]) -> None:
    if user in [key.name for key in keys]:
        raise ConfigurationError(
            f"cannot use API_KEYS: AUTH_USER is called {user!r}, too; give the key another name"
        )


def setting_names() -> frozenset[str]:
    """The names of all settings, as they are written in the environment."""
    return frozenset(_READERS)


def read_env_file(path: Path) -> dict[str, str]:
    """Every variable of a dotenv file, values taken literally; none if there is no file.

    Raises ConfigurationError, which names the first line that cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read {path}: {error}") from None
    written: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(text)):
        if binding.error or (binding.key is not None and binding.value is None):
            # The parser counts from the blank lines before.
            blank = len(binding.original.string) - len(binding.original.string.lstrip("\r\n"))
            raise ConfigurationError(
                f"cannot read {path}, line {binding.original.line + blank}: write NAME=value,"
                " and put a value with a # or a quote in it between single quotes"
            )
        if binding.key is not None and binding.value is not None:
            written[binding.key] = binding.value
    return written


def _refuse_near_miss(name: str) -> None:
    """A mistyped setting would be ignored by us and handed to every job."""
    if name in _READERS:
        return
    close = difflib.get_close_matches(name.upper(), _READERS, n=1, cutoff=0.9)
    if close:
        raise ConfigurationError(f"cannot use {name} in .env; did you mean {close[0]}?")


def _default_state_dir(environ: Mapping[str, str]) -> str:
    # systemd's StateDirectory= may name several, colon-separated (systemd.exec(5)).
    given = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    return given or str(Path(environ.get("HOME", "~")) / ".local/state/claudecode2api")


def _text(value: str) -> str:
    return value


def _host(value: str) -> str:
    if not value:
        raise ValueError("it is empty; write 127.0.0.1 for this machine alone, 0.0.0.0 for all")
    if value == "*":
        raise ValueError("'*' is not an address; write 0.0.0.0 for all, or :: for IPv6, too")
    # As in a URL.
    is_bracketed = value.startswith("[") and value.endswith("]")
    return value[1:-1] if is_bracketed else value


def _optional(value: str) -> str | None:
    return value or None


def _user(value: str) -> str:
    if not value or ":" in value:
        raise ValueError("it must not be empty or hold a colon (RFC 7617)")
    if any(letter < " " or letter == "\x7f" for letter in value):
        raise ValueError("it must not hold control characters (RFC 7617)")
    return _utf_8(value)


def _password(value: str) -> str:
    if not value:
        raise ValueError("it is not set; set it in .env to a password of your own")
    if is_blank(value):
        raise ValueError("it is blank; set it in .env to a password of your own")
    if is_placeholder(value):
        raise ValueError("it is still the placeholder; set it in .env to a password of your own")
    return _utf_8(value)


def _utf_8(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("it is not UTF-8") from None
    return value


def _names(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _keys(value: str) -> tuple[ApiKey, ...]:
    return read_keys(_utf_8(value))


def _host_names(value: str) -> tuple[str, ...]:
    names = tuple(name.lower().strip("[]") for name in _names(value))
    for name in names:
        if name.count(":") == 1 or "/" in name:
            raise ValueError(f"{name!r} is not the name of a host, without scheme and port")
    return () if "*" in names else names


def _origins(value: str) -> tuple[str, ...]:
    for name in _names(value):
        # Raises ValueError.
        origin.pattern(name)
    return tuple(name.lower() for name in _names(value))


def _networks(value: str) -> tuple[IPv4Network | IPv6Network, ...]:
    parts = _names(value)
    if "*" in parts:
        return (ip_network("0.0.0.0/0"), ip_network("::/0"))
    return tuple(ip_network(part) for part in parts)


def _directories(value: str) -> tuple[Path, ...]:
    roots = []
    for part in _names(value):
        try:
            root = _full_path(part)
            roots.append(root.resolve(strict=True))
            next(root.iterdir(), None)
        except OSError as error:
            raise ValueError(f"{part!r} is not a directory to work in: {error.strerror}") from None
    return tuple(roots)


def _full_path(value: str) -> Path:
    try:
        path = Path(value).expanduser()
    except RuntimeError:
        raise ValueError(f"{value!r} names no known user's home") from None
    if not path.is_absolute() or "\0" in value:
        raise ValueError(f"{value!r} is not a full path")
    return path


def _real_path(value: str) -> Path:
    """A full path without links: below STATE_DIR none is followed, but it may be one itself."""
    # Path.resolve raises for a circle of links; that this is no folder is said later.
    return Path(os.path.realpath(_full_path(value)))


def _optional_path(value: str) -> Path | None:
    return _full_path(value) if value else None


def _mcp_config(value: str) -> Path | None:
    path = _optional_path(value)
    if path is not None:
        servers_in(path)
    return path


def _yes_or_no(value: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise ValueError(f"{value!r} is neither true nor false")
    return value.lower() == "true"


def _models(value: str) -> tuple[str, ...]:
    if not _names(value):
        raise ValueError("it names no model")
    return _names(value)


def _log_level(value: str) -> str:
    if value.upper() not in _LOG_LEVELS:
        raise ValueError(f"{value!r} is none of {', '.join(_LOG_LEVELS)}")
    return value.upper()


def _one_of(*words: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value.lower() not in words:
            raise ValueError(f"{value!r} is none of {', '.join(words)}")
        return value.lower()

    return read


def _switch(value: str) -> bool:
    return _one_of("true", "false")(value) == "true"


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        if not value.isascii() or not value.isdigit() or not least <= int(value) <= most:
            raise ValueError(f"{value!r} is not a whole number from {least} to {most}")
        return int(value)

    return read


def _seconds(least: float, most: float) -> Callable[[str], float]:
    def read(value: str) -> float:
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not least <= number <= most:
            raise ValueError(f"{value!r} is not a number of seconds from {least:g} to {most:g}")
        return number

    return read


def _job_count(value: str) -> int:
    return _whole(1, 100_000)(value) if value else job_capacity()


def _is(value: str) -> Callable[[Mapping[str, str]], str]:
    return lambda environ: value


# name: (its default, given the environment; how to read it)
_READERS: dict[str, tuple[Callable[[Mapping[str, str]], str], Callable[[str], object]]] = {
    "HOST": (_is("127.0.0.1"), _host),
    "PORT": (_is("9876"), _whole(1, 65535)),
    "WORKERS": (_is("2"), _whole(1, 256)),
    "AUTH_USER": (_is("admin"), _user),
    "AUTH_PASSWORD": (_is(""), _password),
    "API_KEYS": (_is(""), _keys),
    "SHARED_JOBS": (_is("false"), _switch),
    "AUTH_MAX_FAILURES": (_is("10"), _whole(0, 1_000_000)),
    "FORWARDED_ALLOW_IPS": (_is(""), _networks),
    "CLAUDE_PATH": (_is(""), _optional),
    "LOG_LEVEL": (_is("INFO"), _log_level),
    "LOG_FORMAT": (_is("text"), _one_of("text", "json")),
    "METRICS_PUBLIC": (_is("false"), _switch),
    "STATE_DIR": (_default_state_dir, _real_path),
    "DEFAULT_MODEL": (_is("sonnet"), _text),
    "DEFAULT_PERMISSION_MODE": (_is(""), _text),
    "MAX_BODY": (_is(str(32 << 20)), _whole(1, 1 << 40)),
    "HEARTBEAT": (_is("15"), _seconds(0.01, 3600)),
    "KILL_GRACE": (_is("8"), _seconds(0.1, 600)),
    "MAX_JOBS": (_is(""), _job_count),
    "QUEUE_SIZE": (_is("100"), _whole(0, 100_000)),
    "JOB_TIMEOUT": (_is("3600"), _seconds(0, 31_536_000)),
    "JOB_IDLE_TIMEOUT": (_is("0"), _seconds(0, 31_536_000)),
    "JOB_RETENTION": (_is("86400"), _seconds(0, 315_360_000)),
    "MAX_JOB_OUTPUT": (_is(str(1 << 30)), _whole(0, 1 << 50)),
    "MIN_FREE_DISK": (_is(str(256 << 20)), _whole(0, 1 << 50)),
    "CORS_ORIGINS": (_is(""), _origins),
    "ALLOWED_HOSTS": (_is(""), _host_names),
    "CWD_ROOTS": (_is(""), _directories),
    "WORKSPACES": (_is(""), _optional_path),
    "MODELS": (_is(_MODELS), _models),
    "PROMPT_OPTIONS": (_is("false"), _yes_or_no),
    "MCP_CONFIG": (_is(""), _mcp_config),
}
