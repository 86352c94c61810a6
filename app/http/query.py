"""The parameters in a request's query."""

import re
from collections.abc import Sequence

from flask import request

from app.errors import InvalidRequest
from app.text import shortened

# As JSON writes them: float() and int() accept more, such as 1_0.
_WHOLE_NUMBER = re.compile("[0-9]{1,9}")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?")


def number_in_query(name: str, default: float, least: float, most: float) -> float:
    """A number in the query, from `least` to `most`. Raises InvalidRequest."""
    return _number(name, default, least, most, _NUMBER, "number")


def whole_number_in_query(name: str, default: int, least: int, most: int) -> int:
    """A whole number in the query, from `least` to `most`. Raises InvalidRequest."""
    return int(_number(name, default, least, most, _WHOLE_NUMBER, "whole number"))


def switch_in_query(name: str) -> bool:
    """Whether a parameter is `true`; without it, it is not. Raises InvalidRequest."""
    text = request.args.get(name, "false")
    if text not in ("true", "false"):
        raise _unusable("bool_parsing", name, text, "true or false")
    return text == "true"


def text_in_query(name: str, longest: int) -> str | None:
    """A text of at most so many characters; None without it. Raises InvalidRequest."""
    text = request.args.get(name)
    if text is not None and (not 0 < len(text) <= longest):
        raise _unusable("bad_text", name, text, f"a text of 1 to {longest} characters")
    return text


def choices_in_query(name: str, choices: Sequence[str]) -> tuple[str, ...]:
    """Some of the choices: the parameter is repeated, or lists them with commas.

    Raises InvalidRequest.
    """
    found = [each for text in request.args.getlist(name) for each in text.split(",")]
    for each in found:
        if each not in choices:
            raise _unusable(f"unknown_{name}", name, each, f"one of {', '.join(choices)}")
    return tuple(dict.fromkeys(found))


def _unusable(kind: str, name: str, text: str, expected: str) -> InvalidRequest:
    message = f"Must be {expected}, not {shortened(text)!r}"
    return InvalidRequest.of(kind, ("query", name), message)


def _number(
    name: str, default: float, least: float, most: float, syntax: re.Pattern[str], kind: str
) -> float:
    text = request.args.get(name)
    if text is None:
        return default
    if not syntax.fullmatch(text) or not least <= float(text) <= most:
        message = f"Must be a {kind} from {least:g} to {most:g}"
        raise InvalidRequest.of("out_of_range", ("query", name), message)
    return float(text)
