"""The JSON of a request body, parsed and validated within bounds. Pure.

Any body costs little time, and memory of a few times its size: one with too many values is refused
before it is parsed, and of a million mistakes only some are reported.
"""

import difflib
import json
import math
import time
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from app.errors import InvalidRequest
from app.json_depth import DEEPEST
from app.text import shortened, well_formed

#: The most values in one JSON text, and the most characters of one number.
MOST_ITEMS = 100_000
LONGEST_NUMBER = 400
#: The most escapes (`\n`, `\u00e9`) in one JSON text: they take longer to parse than all else.
MOST_ESCAPES = 4_000_000
#: The most fields of an object that is validated.
MOST_FIELDS = 1000
#: The most problems that one error reports, and the most characters of a field's name.
MOST_ERRORS = 20
LONGEST_NAME = 100
_LONGEST_MESSAGE = 300

# A sleep this long lets other requests be served, new ones too (`app.server.hub_yield`). Under
# gevent, a sleep of 0 serves only those that are waiting already.
_MOMENT = 1e-6
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_TO_COMMAS = bytes.maketrans(b"[]{}:", b",,,,,")

# pydantic's types of error for a value that is no JSON object.
_NO_OBJECT = ("model_type", "model_attributes_type", "dict_type")

Model = TypeVar("Model", bound=BaseModel)


def read_json(body: bytes) -> Any:
    r"""Parse a JSON text in UTF-8, UTF-16 or UTF-32, with or without a byte order mark.

    Half of a surrogate pair in a string becomes U+FFFD. Raises InvalidRequest if the text is not
    JSON or exceeds the bounds above.

    >>> read_json(b'\xef\xbb\xbf{"prompt": "hi"}')
    {'prompt': 'hi'}
    """
    encoding = json.detect_encoding(body)
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError:
        _refuse("json_invalid", f"Invalid JSON: not valid {encoding.upper()}")
    # Each step takes some time for a large body.
    time.sleep(_MOMENT)
    _check_shape(body if encoding == "utf-8" else text.encode(errors="replace"))
    time.sleep(_MOMENT)
    try:
        value = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except ValueError as error:
        _refuse("json_invalid", f"Invalid JSON: {shortened(str(error))}")
    return _well_formed(value) if "\\u" in text else value


def read_object(body: bytes) -> dict[str, Any]:
    """Parse a JSON object. Raises InvalidRequest."""
    value = read_json(body)
    if not isinstance(value, dict):
        _refuse("model_type", "Must be a JSON object")
    return value


def validate(model: type[Model], fields: Mapping[str, Any]) -> Model:
    """Validate fields. Raises InvalidRequest, which names each wrong field, up to a bound.

    The error has the place and never the value, which may be a prompt or a key.
    """
    if len(fields) > MOST_FIELDS:
        _refuse("too_many_items", f"Must have at most {MOST_FIELDS} fields")
    if model.model_config.get("extra") == "forbid":
        unknown = [name for name in fields if name not in model.model_fields]
        # pydantic reports each of them.
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
        if each["type"] in _NO_OBJECT:
            # pydantic names a class of this program, or says "dictionary".
            message = "Input should be an object"
        if each["type"] == "extra_forbidden":
            name = str(each["loc"][-1])
            suggestion = did_you_mean(name, model.model_fields)
            message = f"Unknown field {shortened(name, LONGEST_NAME)!r}{suggestion}"
        problems.append({"type": each["type"], "loc": ["body", *place], "msg": message})
    return problems


def did_you_mean(name: str, known: Sequence[str] | Mapping[str, Any] | set[str]) -> str:
    """The known name that is close to this one, as the end of a sentence.

    >>> did_you_mean("alowed_tools", ["allowed_tools"]), did_you_mean("x" * 1000, ["allowed_tools"])
    ("; did you mean 'allowed_tools'?", '')
    """
    close = difflib.get_close_matches(name, known, n=1) if len(name) <= LONGEST_NAME else []
    return f"; did you mean {close[0]!r}?" if close else ""


def _check_shape(text: bytes) -> None:
    """Check the number of values, their depth and the length of numbers, without parsing them."""
    outside = _outside_of_strings(text)
    time.sleep(_MOMENT)
    count = sum(outside.count(each) for each in (b",", b"[", b"{"))
    if count > MOST_ITEMS:
        _refuse("too_many_items", f"Must have at most {MOST_ITEMS} values")
    deepest = depth = 0
    for bracket in outside.translate(None, _NO_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    if deepest > DEEPEST:
        _refuse("too_deep", f"Must have at most {DEEPEST} levels")
    time.sleep(_MOMENT)
    values = outside.translate(_TO_COMMAS, b" \t\r\n").split(b",")
    time.sleep(_MOMENT)
    if max(map(len, values)) > LONGEST_NUMBER:
        _refuse("too_long", f"Numbers must have at most {LONGEST_NUMBER} characters")


def _outside_of_strings(text: bytes) -> bytes:
    escapes = text.count(b"\\")
    if escapes > MOST_ESCAPES:
        _refuse(
            "too_many_escapes",
            f"Must have at most {MOST_ESCAPES} escapes: send the characters themselves, or the"
            " prompt as text/plain",
        )
    if escapes:
        text = text.replace(b"\\\\", b"")
        time.sleep(_MOMENT)
        text = text.replace(b'\\"', b"")
        time.sleep(_MOMENT)
    # For each item of an object: a name and a value, each between two quotation marks.
    most = 4 * MOST_ITEMS + 4
    parts = text.split(b'"', most)
    if len(parts) > most:
        _refuse("too_many_items", f"Must have at most {MOST_ITEMS} values")
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
    raise ValueError(f"{name} is not a JSON value")


def _finite(text: str) -> float:
    """A number that can be written as JSON again."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is too large a number")
    return value


def _refuse(kind: str, message: str) -> NoReturn:
    raise InvalidRequest.of(kind, ("body",), message)
