"""JSON Schema: the check of a schema, and of a value against one."""

import time
from typing import Any

import pytest

from app.conversation.json_schema import schema_error
from app.conversation.schema_match import mismatch

NODE = {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({}, {"a": [1]}),
        (True, 1),
        ({"type": ["string", "null"]}, None),
        ({"type": "integer"}, 1.0),
        ({"type": "integer"}, 10**400),
        ({"type": "number"}, 1),
        ({"enum": [1, {"a": [1.0]}]}, {"a": [1]}),
        ({"const": "ä"}, "ä"),
        ({"properties": {"a": {"type": "string"}}, "additionalProperties": False}, {"a": "x"}),
        ({"patternProperties": {"^x-": {}}, "additionalProperties": False}, {"x-a": 1}),
        ({"required": ["a"]}, "no object"),
        ({"items": {"type": "integer"}, "minItems": 1}, [1, 2]),
        ({"items": [{"type": "integer"}], "additionalItems": False}, [1]),
        ({"prefixItems": [{"type": "integer"}], "items": False}, [1]),
        ({"uniqueItems": True}, [1, True, "1", ["1"], ["1.0"]]),
        ({"pattern": "b+c$"}, "abbc"),
        ({"pattern": "(?=a)b"}, "patterns that look around are not checked"),
        ({"minLength": 1, "maxLength": 1}, "\U0001f600"),
        ({"multipleOf": 0.01}, 19.99),
        ({"exclusiveMinimum": True, "minimum": 1}, 1),
        ({"oneOf": [{"type": "integer"}, {"minimum": 2}]}, 1),
        ({"if": {"type": "string"}, "then": {"minLength": 2}, "else": {"minimum": 2}}, 2),
        (NODE, {"next": {"next": None}}),
        ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "string"}}}, "x"),
        ({"$ref": "https://example.org/schema"}, "nothing is loaded"),
        ({"format": "email", "x-unknown": 1}, "unknown keywords say nothing"),
    ],
)
def test_a_value_follows_its_schema(schema: Any, value: Any) -> None:
    assert schema_error(schema) is None
    assert mismatch(value, schema) is None


@pytest.mark.parametrize(
    ("schema", "value", "what"),
    [
        (False, 1, "must not be there"),
        ({"type": "string"}, 1, "must be of the type string"),
        ({"type": ["string", "null"]}, 1, "must be of the type string, null"),
        ({"type": "integer"}, True, "must be of the type integer"),
        ({"enum": [1]}, True, "must be one of 1"),
        ({"const": 0}, False, "must be 0"),
        ({"properties": {"a": {"type": "string"}}}, {"a": 1}, "a: must be of the type string"),
        ({"required": ["a", "b"]}, {"a": 1}, "must have a, b"),
        ({"additionalProperties": False}, {"a": 1}, "a: must not be there"),
        ({"items": {"items": {"maximum": 1}}}, [[1, 2]], "[0][1]: must be 1 or less"),
        ({"uniqueItems": True}, [1, 1.0], "must not have an item twice"),
        ({"pattern": "^a"}, "ba", "must match the pattern ^a"),
        ({"anyOf": [{"type": "string"}, {"minimum": 2}]}, 1, "must follow one of the schemas"),
        ({"oneOf": [{"type": "integer"}, {"minimum": 2}]}, 3, "must follow one of the schemas"),
        ({"not": {"type": "string"}}, "x", "must not be like this"),
        ({"if": {"type": "string"}, "then": {"minLength": 2}}, "a", "must have 2 characters"),
        (NODE, {"next": {"next": 1}}, "next: must follow one of the schemas in anyOf"),
    ],
)
def test_a_value_that_does_not_is_named(schema: Any, value: Any, what: str) -> None:
    assert schema_error(schema) is None
    found = mismatch(value, schema)
    assert found is not None and found.startswith(what)


@pytest.mark.parametrize(
    ("schema", "what"),
    [
        ("string", "a schema is an object, or true or false"),
        ({"type": "text"}, "type: 'text' is not a type"),
        ({"type": [["string"]]}, "type: \"['string']\" is not a type"),
        ({"properties": []}, "properties: must be an object of schemas"),
        ({"properties": {"a": "string"}}, "properties.a: a schema is an object"),
        ({"properties": {"a": {"required": True}}}, "properties.a.required: must be a list"),
        ({"anyOf": []}, "anyOf: must be a list of schemas"),
        ({"items": {"enum": "a"}}, "items.enum: must be a list"),
        ({"minLength": -1}, "minLength: must be a whole number"),
        ({"maximum": "9"}, "maximum: must be a number"),
        ({"pattern": 1}, "pattern: must be a text"),
        ({"$ref": "#/$defs/gone"}, "$ref: '#/$defs/gone' is not in the schema"),
        ({"$ref": "#name"}, "$ref: '#name' is not a reference like"),
        ({"$ref": "#/properties", "properties": {"type": {}}}, "$ref.type: '{}' is not a type"),
    ],
)
def test_what_is_wrong_with_a_schema_is_named(schema: Any, what: str) -> None:
    found = schema_error(schema)
    assert found is not None and found.startswith(what)


def test_no_schema_takes_long() -> None:
    """Each would take a general library minutes, or a stack without end."""
    twice = {f"x{n}": {"allOf": [{"$ref": f"#/$defs/x{n + 1}"}] * 2} for n in range(60)}
    doubled = {"$ref": "#/$defs/x0", "$defs": {**twice, "x60": {"type": "string"}}}
    endless = {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}
    long = {"items": {"enum": list(range(20_000))}}
    begun = time.process_time()
    for schema, value in ((doubled, "x"), (endless, 1), (long, [-1] * 20_000)):
        assert schema_error(schema) is None
        assert mismatch(value, schema) is not None
    assert mismatch("a" * 50_000, {"pattern": "^(a+)+$!"}) is not None
    assert time.process_time() - begun < 10


def test_what_is_counted_is_the_whole_value() -> None:
    """A schema can ask for the same look at a large value a thousand times."""
    numbers = list(range(10_000))
    begun = time.process_time()
    for schema in (
        {"allOf": [{"uniqueItems": True}] * 10_000},
        {"allOf": [{"const": numbers}] * 10_000},
        {"allOf": [{"enum": [numbers]}] * 10_000},
    ):
        found = mismatch(numbers, schema)
        assert found is not None and "too complex" in found
    names = {f"n{n}": n for n in range(10_000)}
    many = {"patternProperties": {f"^{n}$": {} for n in range(10_000)}}
    assert mismatch(names, many) is not None
    assert time.process_time() - begun < 10


def test_patterns_that_take_long_to_compile_are_not_checked() -> None:
    """Without a limit, each of these takes a fifth of a second."""
    begun = time.process_time()
    slow = [{"pattern": rf"\w{{200}}|{n}|a"} for n in range(200)]
    assert mismatch("a", {"allOf": slow}) is None
    assert mismatch("b", {"allOf": slow}) is not None
    assert time.process_time() - begun < 5
