"""JSON Schema (draft 2020-12): the check of a value against a valid schema. Pure.

Both come from outside, so a check takes a bounded number of steps, loads nothing, and compares
texts with patterns in linear time. Not checked are `format`, `contains`, `propertyNames`,
`dependent…`, `unevaluated…`, references to other schemas, and patterns that look around or take
long to compile.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from pydantic_core import SchemaError, SchemaValidator, core_schema

from app.conversation.json_schema import TYPES, Wrong, is_number, require, resolve
from app.text import shortened

#: Steps of the check of a value, and the deepest nesting in which a step can be.
MOST_STEPS = 300_000
DEEPEST = 120
#: Seconds in which the patterns of one check are compiled. `\w{200}` alone takes 0.2 s and 13 MB.
PATTERN_TIME = 0.2
# Keywords for which the whole value is looked at, and characters that count as one more value.
_WHOLE = {"const", "enum", "uniqueItems"}
_CHARACTERS = 1000


def mismatch(value: Any, schema: Any) -> str | None:
    """Where a value does not follow a schema, in one sentence; None if it does.

    >>> mismatch({"a": "x"}, {"properties": {"a": {"type": "integer"}}})
    'a: must be of the type integer'
    """
    try:
        _Check(schema).value(value, schema, "", 0)
    except Wrong as error:
        return str(error)
    except RecursionError:
        return "it is nested too deeply"
    return None


class _Check:
    """One check of a value against a schema, `root`."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._steps = MOST_STEPS
        self._patterns: dict[str, SchemaValidator | None] = {}
        self._pattern_time = PATTERN_TIME

    def value(self, value: Any, schema: Any, place: str, depth: int) -> None:
        """Check a value. Raises Wrong."""
        self._steps -= 1
        if self._steps < 0 or depth > DEEPEST:
            raise _TooComplex
        if schema is False:
            raise Wrong(place, "must not be there")
        for keyword, argument in schema.items() if isinstance(schema, dict) else ():
            if keyword in _ASSERTIONS:
                self._assertion(keyword, value, argument, place)
            elif keyword == "pattern":
                self._steps -= _size(value)
                what = f"must match the pattern {shortened(argument)}"
                require(self._matches(value, argument), place, what)
            elif keyword == "$ref" and argument.startswith("#"):
                self.value(value, resolve(argument, self._root, place), place, depth + 1)
            elif keyword in _COMBINATIONS:
                self._combination(keyword, value, argument, place, depth)
            elif keyword == "if":
                way = "then" if self._follows(value, argument, depth) else "else"
                self.value(value, schema.get(way, True), place, depth + 1)
        if isinstance(value, dict) and isinstance(schema, dict):
            self._members(value, schema, place, depth)
        elif isinstance(value, list) and isinstance(schema, dict):
            self._items(value, schema, place, depth)

    def _assertion(self, keyword: str, value: Any, argument: Any, place: str) -> None:
        self._steps -= _size(argument) + (_size(value) if keyword in _WHOLE else 0)
        if self._steps < 0:
            raise _TooComplex
        applies, what = _ASSERTIONS[keyword]
        if not applies(value, argument):
            raise Wrong(place, what.format(_words(argument)))

    def _matches(self, value: Any, pattern: str) -> bool:
        if not isinstance(value, str):
            return True
        if pattern not in self._patterns:
            self._patterns[pattern] = self._compiled(pattern)
        validator = self._patterns[pattern]
        return validator is None or validator.isinstance_python(value)

    def _compiled(self, pattern: str) -> SchemaValidator | None:
        """A check of texts, in linear time; None for a pattern that does not allow it."""
        if self._pattern_time <= 0:
            return None
        begun = time.perf_counter()
        schema = core_schema.str_schema(pattern=pattern, regex_engine="rust-regex")
        try:
            return SchemaValidator(schema)
        except SchemaError:
            return None
        finally:
            self._pattern_time -= time.perf_counter() - begun

    def _combination(self, keyword: str, value: Any, argument: Any, place: str, depth: int) -> None:
        if keyword == "allOf":
            for each in argument:
                self.value(value, each, place, depth + 1)
        elif keyword == "not":
            require(not self._follows(value, argument, depth), place, "must not be like this")
        else:
            count = sum(self._follows(value, each, depth) for each in argument)
            is_right = count == 1 if keyword == "oneOf" else count
            require(is_right, place, f"must follow one of the schemas in {keyword}")

    def _follows(self, value: Any, schema: Any, depth: int) -> bool:
        try:
            self.value(value, schema, "", depth + 1)
        except _TooComplex:
            raise
        except Wrong:
            return False
        return True

    def _members(
        self, value: dict[str, Any], schema: Mapping[str, Any], place: str, depth: int
    ) -> None:
        known = schema.get("properties", {})
        patterns = schema.get("patternProperties", {})
        for name, member in value.items():
            here = f"{place}.{shortened(name)}" if place else shortened(name)
            found = [known[name]] if name in known else []
            found += [each for pattern, each in patterns.items() if self._matches(name, pattern)]
            self._steps -= len(patterns)
            for each in found or [schema.get("additionalProperties", True)]:
                self.value(member, each, here, depth + 1)

    def _items(self, value: list[Any], schema: Mapping[str, Any], place: str, depth: int) -> None:
        rest = schema.get("items", True)
        first = schema.get("prefixItems", [])
        if isinstance(rest, list):
            first, rest = rest, schema.get("additionalItems", True)
        for number, item in enumerate(value):
            each = first[number] if number < len(first) else rest
            self.value(item, each, f"{place}[{number}]", depth + 1)


class _TooComplex(Wrong):
    """The check takes too many steps."""

    def __init__(self) -> None:
        super().__init__("", "the schema is too complex for a check")


def _same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal; true is not 1, and 1.0 is 1."""
    return one == other and _plain(one) == _plain(other)


def _plain(value: Any) -> str:
    """A text that equal values have in common, and no others."""
    if isinstance(value, dict):
        members = sorted(f"{name!r}:{_plain(member)}" for name, member in value.items())
        return f"{{{','.join(members)}}}"
    if isinstance(value, list):
        return f"[{','.join(map(_plain, value))}]"
    return repr(int(value)) if TYPES["integer"](value) else repr(value)


def _is_of(value: Any, types: Any) -> bool:
    return any(TYPES[name](value) for name in (types if isinstance(types, list) else [types]))


def _is_multiple(value: Any, of: Any) -> bool:
    try:
        return not is_number(value) or Decimal(str(value)) % Decimal(str(of)) == 0
    except ArithmeticError:
        return True


def _has_all(value: Any, names: Iterable[str]) -> bool:
    return not isinstance(value, dict) or all(name in value for name in names)


def _are_unique(value: Any, is_wanted: Any) -> bool:
    items = value if isinstance(value, list) and is_wanted else []
    return len(set(map(_plain, items))) == len(items)


def _size(value: Any) -> int:
    """How many values there are in a JSON value; a long text counts as several.

    >>> _size([1, {"a": "b"}]), _size("x" * 2000)
    (4, 3)
    """
    if isinstance(value, str):
        return 1 + len(value) // _CHARACTERS
    if isinstance(value, dict):
        return 1 + sum(map(_size, value.values()))
    return 1 + sum(map(_size, value)) if isinstance(value, list) else 1


def _sized(kind: type[Any], compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda value, limit: not isinstance(value, kind) or compare(len(value), limit)


def _number(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda value, limit: (
        not is_number(value) or isinstance(limit, bool) or compare(value, limit)
    )


def _words(argument: Any) -> str:
    return shortened(", ".join(map(str, argument)) if isinstance(argument, list) else str(argument))


_COMBINATIONS = {"allOf", "anyOf", "not", "oneOf"}
# What a keyword demands of a value, given its argument, and the words for it.
_ASSERTIONS: dict[str, tuple[Callable[[Any, Any], bool], str]] = {
    "type": (_is_of, "must be of the type {}"),
    "enum": (lambda value, all: any(_same(value, each) for each in all), "must be one of {}"),
    "const": (_same, "must be {}"),
    "required": (_has_all, "must have {}"),
    "minLength": (_sized(str, lambda n, limit: n >= limit), "must have {} characters or more"),
    "maxLength": (_sized(str, lambda n, limit: n <= limit), "must have {} characters at most"),
    "minItems": (_sized(list, lambda n, limit: n >= limit), "must have {} items or more"),
    "maxItems": (_sized(list, lambda n, limit: n <= limit), "must have {} items at most"),
    "minProperties": (_sized(dict, lambda n, limit: n >= limit), "must have {} members or more"),
    "maxProperties": (_sized(dict, lambda n, limit: n <= limit), "must have {} members at most"),
    "uniqueItems": (_are_unique, "must not have an item twice"),
    "minimum": (_number(lambda n, limit: n >= limit), "must be {} or more"),
    "maximum": (_number(lambda n, limit: n <= limit), "must be {} or less"),
    "exclusiveMinimum": (_number(lambda n, limit: n > limit), "must be more than {}"),
    "exclusiveMaximum": (_number(lambda n, limit: n < limit), "must be less than {}"),
    "multipleOf": (_is_multiple, "must be a multiple of {}"),
}
