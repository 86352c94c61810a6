"""The numbers in a request's query."""

import re

from flask import request

from app.errors import InvalidRequest

# As JSON writes them: float() and int() accept more, such as 1_0.
_WHOLE_NUMBER = re.compile("[0-9]{1,9}")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?")


def number_in_query(name: str, default: float, least: float, most: float) -> float:
    """A number in the query, from `least` to `most`. Raises InvalidRequest."""
    return _number(name, default, least, most, _NUMBER, "number")


def whole_number_in_query(name: str, default: int, least: int, most: int) -> int:
    """A whole number in the query, from `least` to `most`. Raises InvalidRequest."""
    return int(_number(name, default, least, most, _WHOLE_NUMBER, "whole number"))


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
