"""JSON Schema (draft 2020-12): the check of a schema. Pure.

A schema comes from outside, so the check takes time in proportion to its size, and loads nothing.
"""

from collections.abc import Callable
from typing import Any

from app.text import shortened

#: The types, and whether a value is of each.
TYPES: dict[str, Callable[[Any], bool]] = {
    "array": lambda value: isinstance(value, list),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: is_number(value) and (isinstance(value, int) or value.is_integer()),
    "null": lambda value: value is None,
    "number": lambda value: is_number(value),
    "object": lambda value: isinstance(value, dict),
    "string": lambda value: isinstance(value, str),
}
# Keywords by what their value must be.
_SCHEMA = {
    "additionalProperties",
    "contains",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
}
_SCHEMAS = {"allOf", "anyOf", "oneOf", "prefixItems"}
_NAMED_SCHEMAS = {"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"}
_COUNTS = {
    *("maxItems", "maxLength", "maxProperties"),
    *("minItems", "minLength", "minProperties"),
}
# In draft 4, the exclusive ones are true or false.
_NUMBERS = {"exclusiveMaximum", "exclusiveMinimum", "maximum", "minimum", "multipleOf"}


class Wrong(Exception):
    """Something is not as it must be, at a place."""

    def __init__(self, place: str, what: str) -> None:
        super().__init__(f"{place}: {what}" if place else what)


def is_number(value: Any) -> bool:
    """Whether a JSON value is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def require(is_right: object, place: str, what: str) -> None:
    """Raise Wrong unless something is right."""
    if not is_right:
        raise Wrong(place, what)


def schema_error(schema: Any) -> str | None:
    """What is wrong with a schema, in one sentence; None for a valid one.

    >>> schema_error({"type": "object", "properties": {"a": {"type": "text"}}})
    "properties.a.type: 'text' is not a type"
    """
    try:
        _Checker(schema).check(schema, "")
    except Wrong as error:
        return str(error)
    except RecursionError:
        return "it is nested too deeply"
    return None


def resolve(reference: str, root: Any, place: str) -> Any:
    """The part of `root` to which a reference like `#/$defs/name` points (RFC 6901).

    Raises Wrong.
    """
    found = root
    for part in reference.removeprefix("#").split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        elif isinstance(found, dict) and name in found:
            found = found[name]
        else:
            raise Wrong(place, f"{shortened(reference)!r} is not in the schema")
    is_pointer = reference == "#" or reference.startswith("#/")
    require(is_pointer, place, f"{shortened(reference)!r} is not a reference like #/$defs/name")
    return found


class _Checker:
    """Checks the parts of one schema, `root`, each once."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._seen: set[int] = set()

    def check(self, schema: Any, place: str) -> None:
        """Check one part. Raises Wrong."""
        if isinstance(schema, bool) or id(schema) in self._seen:
            return
        require(isinstance(schema, dict), place, "a schema is an object, or true or false")
        self._seen.add(id(schema))
        for keyword, argument in schema.items():
            here = f"{place}.{keyword}" if place else keyword
            if keyword in _SCHEMA:
                # In draft 7, items can be a list.
                is_list = keyword == "items" and isinstance(argument, list)
                for each in argument if is_list else [argument]:
                    self.check(each, here)
            elif keyword in _SCHEMAS:
                require(isinstance(argument, list) and argument, here, "must be a list of schemas")
                for number, each in enumerate(argument):
                    self.check(each, f"{here}.{number}")
            elif keyword in _NAMED_SCHEMAS:
                require(isinstance(argument, dict), here, "must be an object of schemas")
                for name, each in argument.items():
                    self.check(each, f"{here}.{shortened(name)}")
            elif keyword == "$ref":
                require(isinstance(argument, str), here, "must be a text")
                if argument.startswith("#"):
                    self.check(resolve(argument, self._root, here), here)
            else:
                _check_argument(keyword, argument, here)


def _check_argument(keyword: str, argument: Any, place: str) -> None:
    if keyword == "type":
        for name in argument if isinstance(argument, list) else [argument]:
            is_type = isinstance(name, str) and name in TYPES
            require(is_type, place, f"{shortened(str(name))!r} is not a type")
    elif keyword == "enum":
        require(isinstance(argument, list), place, "must be a list")
    elif keyword == "required":
        is_list = isinstance(argument, list) and all(isinstance(each, str) for each in argument)
        require(is_list, place, "must be a list of names")
    elif keyword in _COUNTS:
        is_count = is_number(argument) and argument >= 0
        require(is_count, place, "must be a whole number that is not negative")
    elif keyword in _NUMBERS:
        require(is_number(argument) or isinstance(argument, bool), place, "must be a number")
    elif keyword == "pattern":
        require(isinstance(argument, str), place, "must be a text")
