"""The file `claudecode2api.toml`, read: each setting by its name in lower case."""

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from app.errors import ConfigurationError
from app.foreign_settings import hint_for

#: The name of the file, which stands beside `.env`.
TOML_NAME = "claudecode2api.toml"

#: The type that a setting has in the file.
Kind = Literal["text", "list", "whole number", "number", "switch"]

_TYPES: dict[Kind, tuple[type, ...]] = {
    "text": (str,),
    "list": (list,),
    "whole number": (int,),
    "number": (int, float),
    "switch": (bool,),
}
_WANTED: dict[Kind, str] = {
    "text": 'a text in quotes, like "text"',
    "list": 'a list of texts, like ["one", "two"]',
    "whole number": "a whole number without quotes",
    "number": "a number without quotes",
    "switch": "true or false without quotes",
}
_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)")


class Entry(NamedTuple):
    """A setting in the file: its value as it would be written in `.env`, and its line."""

    text: str
    line: int


def read_toml_file(path: Path, kinds: Mapping[str, Kind]) -> dict[str, Entry]:
    """The settings in a file, by their names in capitals; empty if there is no file.

    `kinds` has the type of every setting. Raises ConfigurationError, which names the file and the
    line, and has no value.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"cannot read {path}: it is not UTF-8") from None
    values = _parse(path, text)
    lines = _lines(text)
    entries = {}
    for key, value in values.items():
        line = lines.get(key, 1)
        try:
            name = _setting(key, kinds)
            entries[name] = Entry(_as_text(value, kinds[name]), line)
        except ValueError as error:
            raise ConfigurationError(
                f"cannot use {key!r} in {path}, line {line}: {error}"
            ) from None
    return entries


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigurationError(f"cannot read {path}: its lists are nested too deeply") from None
    except ValueError as error:
        place = _PLACE.search(str(error))
        line = int(place[1]) if place and place[1] else len(text.rstrip().split("\n"))
        message = _PLACE.sub("", str(error)).partition("\n")[0]
        raise ConfigurationError(
            f"cannot read {path}, line {line}: {message[:1].lower()}{message[1:]};"
            ' write name = value, and put texts in quotes, like host = "127.0.0.1"'
        ) from None


def _lines(text: str) -> dict[str, int]:
    r"""The line in which each key or table begins.

    >>> _lines('a = 1\n\n# more\nb = [\n  "x",\n]\nc = 2')
    {'a': 1, 'b': 4, 'c': 7}
    """
    found: dict[str, int] = {}
    lines = text.split("\n")
    begun = 0
    for end in range(1, len(lines) + 1):
        try:
            # A value can take several lines, and is a document only as a whole.
            keys = tomllib.loads("\n".join(lines[begun:end]))
        except ValueError:
            continue
        for key in keys:
            found.setdefault(key, begun + 1)
        begun = end
    return found


def _setting(key: str, kinds: Mapping[str, Kind]) -> str:
    """The setting that a key names. Raises ValueError."""
    name = key.upper()
    if name in kinds and key == key.lower():
        return name
    if name in kinds:
        raise ValueError(f"names are in lower case; write {key.lower()}")
    if foreign := hint_for(name):
        raise ValueError(f"another gateway reads it; {foreign}")
    close = difflib.get_close_matches(name, kinds, n=1, cutoff=0.75)
    if close:
        raise ValueError(f"there is no such setting; did you mean {close[0].lower()}?")
    raise ValueError("there is no such setting; variables for the CLI belong in .env")


def _as_text(value: object, kind: Kind) -> str:
    """A value as it would be written in `.env`. Raises ValueError, without the value.

    >>> _as_text(["a", "b"], "list"), _as_text(True, "switch"), _as_text(0.5, "number")
    ('a,b', 'true', '0.5')
    """
    # A bool is an int, too.
    if not isinstance(value, _TYPES[kind]) or isinstance(value, bool) != (kind == "switch"):
        raise ValueError(f"it must be {_WANTED[kind]}")
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, list):
        return str(value)
    for item in value:
        if not isinstance(item, str):
            raise ValueError(f"it must be {_WANTED[kind]}")
        if "," in item:
            raise ValueError("an entry of the list must not contain a comma")
    return ",".join(value)
