"""A client's JSON: bounded before it is read, and before it is held to a model. Pure.

What a client sends costs a moment and a few times its size, however it is made: of a body that
holds a million numbers no number is read, and of a million mistakes only some are looked at.
"""

import difflib
import json
import time
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from app.errors import InvalidRequest
from app.json_depth import DEEPEST
from app.text import shortened, well_formed

#: Values in one JSON text, and characters of one number.
MOST_ITEMS = 100_000
LONGEST_NUMBER = 400
#: Escapes (`\n`, `\u00e9`) in one JSON text: to read them takes a large body longer than all else.
MOST_ESCAPES = 4_000_000
#: Fields of one object that is held to a model.
MOST_FIELDS = 1000
#: Of many errors in one body so many are reported, and so much of a name.
MOST_ERRORS = 20
LONGEST_NAME = 100
_LONGEST_MESSAGE = 300

# Other requests are served in between, new ones included (`app.server.hub_yield`): under gevent,
# a sleep of no time lets only those run that wait already.
_MOMENT = 1e-6
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_TO_COMMAS = bytes.maketrans(b"[]{}:", b",,,,,")

Model = TypeVar("Model", bound=BaseModel)


def read_json(body: bytes) -> Any:
    r"""The value of a JSON text in UTF-8, UTF-16 or UTF-32, with or without a byte order mark.

    Half a surrogate pair in a text becomes U+FFFD. Raises InvalidRequest for what is not JSON, or
    exceeds the bounds above.

    >>> read_json(b'\xef\xbb\xbf{"prompt": "hi"}')
    {'prompt': 'hi'}
    """
    encoding = json.detect_encoding(body)
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError:
        _refuse("json_invalid", f"Invalid JSON: it is not {encoding.upper()}")
    # Each step takes a while for a large body.
    time.sleep(_MOMENT)
    _check_shape(body if encoding == "utf-8" else text.encode(errors="replace"))
    time.sleep(_MOMENT)
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except ValueError as error:
        _refuse("json_invalid", f"Invalid JSON: {shortened(str(error))}")
    return _well_formed(value) if "\\u" in text else value


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object that a body is. Raises InvalidRequest."""
    value = read_json(body)
    if not isinstance(value, dict):
        _refuse("model_type", "This is not a JSON object")
    return value


def validate(model: type[Model], fields: Mapping[str, Any]) -> Model:
    """The fields as this model. Raises InvalidRequest, which names each wrong one, up to a bound.

    What an error reports is the place and never the value, which may be a prompt or a key.
    """
    if len(fields) > MOST_FIELDS:
        _refuse("too_many_items", f"There are more than {MOST_FIELDS} fields in it")
    if model.model_config.get("extra") == "forbid":
        unknown = [name for name in fields if name not in model.model_fields]
        # pydantic makes an error of each.
        known = {name: fields[name] for name in model.model_fields if name in fields}
        fields = {**known, **{name: None for name in islice(unknown, MOST_ERRORS)}}
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise InvalidRequest(_problems(error, model)) from None


def _problems(error: ValidationError, model: type[BaseModel]) -> list[dict[str, Any]]:
    problems = []
    for each in error.errors(include_input=False, include_url=False)[:MOST_ERRORS]:
        place = [
            shortened(part, LONGEST_NAME) if isinstance(part, str) else part for part in each["loc"]
        ]
        message = shortened(each["msg"], _LONGEST_MESSAGE)
        if each["type"] == "extra_forbidden":
            name = str(each["loc"][-1])
            message = (
                f"Unknown field {shortened(name, LONGEST_NAME)!r}{hint(name, model.model_fields)}"
            )
        problems.append({"type": each["type"], "loc": ["body", *place], "msg": message})
    return problems


def hint(name: str, known: Sequence[str] | Mapping[str, Any] | set[str]) -> str:
    """Which of the known names this one may have been meant to be, to end a sentence with.

    >>> hint("alowed_tools", ["allowed_tools"]), hint("x" * 1000, ["allowed_tools"])
    ("; did you mean 'allowed_tools'?", '')
    """
    close = difflib.get_close_matches(name, known, n=1) if len(name) <= LONGEST_NAME else []
    return f"; did you mean {close[0]!r}?" if close else ""


def _check_shape(text: bytes) -> None:
    """Refuse JSON of too many values, or too deep ones, or too long numbers; reads none of them."""
    outside = _outside_of_strings(text)
    time.sleep(_MOMENT)
    count = sum(outside.count(each) for each in (b",", b"[", b"{"))
    if count > MOST_ITEMS:
        _refuse("too_many_items", f"There are more than {MOST_ITEMS} values in it")
    deepest = depth = 0
    for bracket in outside.translate(None, _NO_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    if deepest > DEEPEST:
        _refuse("too_deep", f"There are more than {DEEPEST} levels in it")
    time.sleep(_MOMENT)
    values = outside.translate(_TO_COMMAS, b" \t\r\n").split(b",")
    time.sleep(_MOMENT)
    if max(map(len, values)) > LONGEST_NUMBER:
        _refuse("too_long", f"There is a number of more than {LONGEST_NUMBER} characters in it")


def _outside_of_strings(text: bytes) -> bytes:
    escapes = text.count(b"\\")
    if escapes > MOST_ESCAPES:
        _refuse(
            "too_many_escapes",
            f"There are more than {MOST_ESCAPES} escapes in it: send the letters themselves,"
            " or a prompt as text/plain",
        )
    if escapes:
        text = text.replace(b"\\\\", b"")
        time.sleep(_MOMENT)
        text = text.replace(b'\\"', b"")
        time.sleep(_MOMENT)
    # A name and a value for each item of an object, each between two quotation marks.
    most = 4 * MOST_ITEMS + 4
    parts = text.split(b'"', most)
    if len(parts) > most:
        _refuse("too_many_items", f"There are more than {MOST_ITEMS} values in it")
    return b"".join(parts[::2])


def _well_formed(value: Any) -> Any:
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, list):
        return [_well_formed(each) for each in value]
    if isinstance(value, dict):
        return {well_formed(name): _well_formed(each) for name, each in value.items()}
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _refuse(kind: str, message: str) -> NoReturn:
    raise InvalidRequest.of(kind, ("body",), message)
