"""Parsers of settings: from the text of a setting to its value.

Each raises ValueError with what is wrong, to be read after "cannot use NAME: ".
"""

import math
import os
import re
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

from app import origin
from app.auth.api_keys import ApiKey, read_keys
from app.auth.secret_strength import is_blank, is_placeholder
from app.machine import ENOUGH_FOR_SPARE, job_capacity, memory
from app.mcp import servers_in

_CONTROL_REQUEST = re.compile("[a-z][a-z_]{0,99}")
# A client that sent these would end or change what the gateway does with the CLI.
_OWN_CONTROL_REQUESTS = {
    *("cancel_async_message", "claim_session", "end_session", "initialize", "interrupt"),
    *("apply_flag_settings", "set_cwd"),
}
# What helps when there is no password.
_CHOOSE = (
    "claudecode2api password writes a new one (in a checkout: scripts/claudecode2api password); or"
    " set AUTH_PASSWORD_FILE to a file that has it"
)
_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def text(value: str) -> str:
    """Any text."""
    return value


def optional(value: str) -> str | None:
    """A text; None if it is empty."""
    return value or None


def switch(value: str) -> bool:
    """true or false, in any case."""
    if value.lower() not in ("true", "false"):
        raise ValueError(f"{value!r} is neither true nor false")
    return value.lower() == "true"


def one_of(*words: str) -> Callable[[str], str]:
    """One of these words, in any case."""

    def parse(value: str) -> str:
        if value.lower() not in words:
            raise ValueError(f"{value!r} is not one of {', '.join(words)}")
        return value.lower()

    return parse


def whole(least: int, most: int) -> Callable[[str], int]:
    """A whole number within these bounds."""

    def parse(value: str) -> int:
        if not value.isascii() or not value.isdigit() or not least <= int(value) <= most:
            raise ValueError(f"{value!r} is not a whole number from {least} to {most}")
        return int(value)

    return parse


def seconds(least: float, most: float) -> Callable[[str], float]:
    """A number of seconds within these bounds."""

    def parse(value: str) -> float:
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not least <= number <= most:
            raise ValueError(f"{value!r} is not a number of seconds from {least:g} to {most:g}")
        return number

    return parse


def job_count(value: str) -> int:
    """How many jobs run at once; if empty, as many as this machine has room for."""
    return whole(1, 100_000)(value) if value else job_capacity()


def runs_memory(value: str) -> int:
    """Bytes of memory for runs without a job; if empty, a quarter of the memory."""
    return whole(0, 1 << 50)(value) if value else memory() // 4


def spare_count(value: str) -> int:
    """How many spares there are; if empty, one where memory is not short."""
    return whole(0, 1000)(value) if value else int(memory() >= ENOUGH_FOR_SPARE)


def log_level(value: str) -> str:
    """A level of the logging module."""
    if value.upper() not in _LOG_LEVELS:
        raise ValueError(f"{value!r} is not one of {', '.join(_LOG_LEVELS)}")
    return value.upper()


def user_name(value: str) -> str:
    """A user name for HTTP Basic."""
    if not value or ":" in value:
        raise ValueError("it must not be empty or contain a colon (RFC 7617)")
    if any(letter < " " or letter == "\x7f" for letter in value):
        raise ValueError("it must not contain control characters (RFC 7617)")
    return _utf_8(value)


def password(value: str) -> str:
    """A password that is not blank and not the placeholder."""
    if not value:
        raise ValueError(f"it is not set; {_CHOOSE}")
    if is_blank(value):
        raise ValueError(f"it is blank; {_CHOOSE}")
    if is_placeholder(value):
        raise ValueError(f"it is still the placeholder; {_CHOOSE}")
    return _utf_8(value)


def token(value: str) -> str:
    """A token for a header, or an empty text; a wrong one is not quoted."""
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("it must be visible ASCII characters")
    return value


def api_keys(value: str) -> tuple[ApiKey, ...]:
    """The keys of API_KEYS."""
    return read_keys(_utf_8(value))


def _utf_8(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("it is not UTF-8") from None
    return value


def listed(value: str) -> tuple[str, ...]:
    """Words separated by commas.

    >>> listed("a, b,,")
    ('a', 'b')
    """
    return tuple(part.strip() for part in value.split(",") if part.strip())


def models(value: str) -> tuple[str, ...]:
    """Names of models, at least one."""
    if not listed(value):
        raise ValueError("it names no model")
    return listed(value)


def model_aliases(value: str) -> dict[str, str]:
    """Models by the other names that clients may use.

    >>> model_aliases("gpt-4o=sonnet, o3=opus")
    {'gpt-4o': 'sonnet', 'o3': 'opus'}
    """
    aliases: dict[str, str] = {}
    for pair in listed(value):
        alias, equals, model = (part.strip() for part in pair.partition("="))
        if not (alias and equals and model):
            raise ValueError(f"{pair!r} is not a pair like gpt-4o=sonnet")
        if alias in aliases:
            raise ValueError(f"{alias!r} stands for two models")
        aliases[alias] = model
    return aliases


def model_patterns(value: str) -> tuple[str, ...]:
    """Names of models, each of which may have `*` and `?`."""
    for pattern in listed(value):
        if not re.fullmatch(r"[A-Za-z0-9._:/@*?-]+", pattern):
            raise ValueError(f"{pattern!r} is not the name of a model, nor a pattern like claude-*")
    return listed(value)


def variables(value: str) -> tuple[str, ...]:
    """Names of environment variables, each of which may end in `*`."""
    for name in listed(value):
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*\*?|\*", name):
            raise ValueError(f"{name!r} is not the name of an environment variable, nor NAME*")
    return listed(value)


def control_requests(value: str) -> tuple[str, ...]:
    """Kinds of control requests of the CLI."""
    for name in listed(value):
        if not _CONTROL_REQUEST.fullmatch(name):
            raise ValueError(f"{name!r} is not a name like side_question")
        if name in _OWN_CONTROL_REQUESTS:
            raise ValueError(f"{name!r} is one that the gateway itself sends; leave it out")
    return listed(value)


def host(value: str) -> str:
    """An address to listen on, in brackets or not.

    >>> host("[::1]")
    '::1'
    """
    if not value:
        raise ValueError("it is empty; write 127.0.0.1 for this machine only, 0.0.0.0 for all")
    if value == "*":
        raise ValueError("'*' is not an address; write 0.0.0.0 for all, or :: to include IPv6")
    # Brackets as in a URL.
    is_bracketed = value.startswith("[") and value.endswith("]")
    return value[1:-1] if is_bracketed else value


def host_names(value: str) -> tuple[str, ...]:
    """Names of hosts; empty if one is `*`."""
    names = tuple(name.lower().strip("[]") for name in listed(value))
    for name in names:
        if name.count(":") == 1 or "/" in name:
            raise ValueError(f"{name!r} is not a host name; leave out scheme and port")
    return () if "*" in names else names


def origins(value: str) -> tuple[str, ...]:
    """Origins of web pages, or patterns of them."""
    for name in listed(value):
        # Raises ValueError.
        origin.pattern(name)
    return tuple(name.lower() for name in listed(value))


def networks(value: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Addresses and networks; `*` is all of them."""
    parts = listed(value)
    if "*" in parts:
        return (ip_network("0.0.0.0/0"), ip_network("::/0"))
    return tuple(ip_network(part) for part in parts)


def directories(value: str) -> tuple[Path, ...]:
    """Directories that exist and can be listed, without links."""
    found = []
    for part in listed(value):
        try:
            directory = _absolute(part)
            found.append(directory.resolve(strict=True))
            next(directory.iterdir(), None)
        except OSError as error:
            raise ValueError(f"{part!r} is not a usable directory: {error.strerror}") from None
    return tuple(found)


def state_dir(value: str) -> Path:
    """An absolute path without links: STATE_DIR may be one, and below it none is followed."""
    # Path.resolve raises an error for a circle of links; that comes up when the folder is made.
    return Path(os.path.realpath(_absolute(value)))


def optional_path(value: str) -> Path | None:
    """An absolute path; None if it is empty."""
    return _absolute(value) if value else None


def mcp_config(value: str) -> Path | None:
    """The path of a usable file with MCP servers; None if it is empty."""
    path = optional_path(value)
    if path is not None:
        # Raises ValueError.
        servers_in(path)
    return path


def _absolute(value: str) -> Path:
    try:
        path = Path(value).expanduser()
    except RuntimeError:
        raise ValueError(f"the user named in {value!r} has no home directory") from None
    if not path.is_absolute() or "\0" in value:
        raise ValueError(f"{value!r} is not an absolute path")
    return path
