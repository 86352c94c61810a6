"""The JSON Schema (2020-12, as in OpenAPI 3.1) of our pydantic models."""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema
from pydantic_core import core_schema

_REFERENCE = "#/components/schemas/{model}"


class _WithoutNoise(GenerateJsonSchema):
    """Leaves out titles that repeat a field's name, and defaults that stand for a missing key."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never: the name is enough."""
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> dict[str, Any]:
        """The schema of a value that is present."""
        return self.generate_inner(schema["schema"])


def components(models: Iterable[type[BaseModel]]) -> dict[str, Any]:
    """The schemas of these models, and of those that they contain, by name."""
    ordered = sorted(models, key=lambda model: model.__name__)
    _, definitions = models_json_schema(
        [(model, "validation") for model in ordered],
        ref_template=_REFERENCE,
        schema_generator=_WithoutNoise,
    )
    schemas: dict[str, Any] = definitions["$defs"]
    return schemas


def reference(model: type[BaseModel]) -> dict[str, Any]:
    """A reference to a model's schema in `components`."""
    return {"$ref": _REFERENCE.format(model=model.__name__)}


def properties(model: type[BaseModel]) -> dict[str, dict[str, Any]]:
    """The schemas of a model's fields."""
    schema = model.model_json_schema(schema_generator=_WithoutNoise)
    found: dict[str, dict[str, Any]] = schema["properties"]
    return found
