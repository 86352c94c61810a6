"""The OpenAPI 3.1 document of an application, made from its routes and the views' descriptions."""

import re
from collections.abc import Iterable
from typing import Any

from flask import Flask
from werkzeug.routing import Rule

from app.http.access import accepts_api_key, is_protected
from app.openapi.describe import Description, Model, description_of
from app.openapi.headers import HEADERS, header_object
from app.openapi.introduction import introduction
from app.openapi.json_schema import components
from app.openapi.operation import SECURITY_SCHEMES, models_of, operation_id, operation_object
from app.openapi.tags import TAGS
from app.version import VERSION

_TAG_NAMES = {endpoint: tag.name for tag in TAGS for endpoint in tag.endpoints}
_PLACES = {endpoint: place for place, endpoint in enumerate(_TAG_NAMES)}


class NotDescribed(Exception):
    """A view has no description, or one that leaves a path parameter out."""


def make_document(app: Flask, introduced_by: str = introduction()) -> dict[str, Any]:
    """The document, which begins with an introduction. Raises NotDescribed."""
    paths: dict[str, dict[str, Any]] = {}
    models: set[Model] = set()
    for rule in sorted(app.url_map.iter_rules(), key=_place):
        description = description_of(app.view_functions[rule.endpoint])
        if description is None:
            raise NotDescribed(f"{rule.rule} ({rule.endpoint})")
        path = path_of(rule, description)
        if rule.endpoint not in _PLACES:
            raise NotDescribed(f"{rule.endpoint} in app/openapi/tags.py")
        operation = {
            "operationId": operation_id(rule.endpoint),
            "tags": [_TAG_NAMES[rule.endpoint]],
            **operation_object(
                description,
                is_protected(app, rule.endpoint),
                accepts_api_key(app, rule.endpoint),
            ),
        }
        models.update(models_of(description))
        for method in _methods(rule):
            paths.setdefault(path, {})[method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "claudecode2api",
            "version": VERSION,
            "description": introduced_by,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        # Relative to this document, also behind a proxy that adds a prefix.
        "servers": [{"url": "."}],
        "tags": [{"name": tag.name, "description": tag.description} for tag in TAGS],
        "paths": paths,
        "components": {
            "schemas": components(models),
            "headers": {name: header_object(header) for name, header in HEADERS.items()},
            "securitySchemes": SECURITY_SCHEMES,
        },
    }


def path_of(rule: Rule, description: Description) -> str:
    """A rule's path in the document. Raises NotDescribed if a parameter is not described."""
    names = {
        parameter.argument or parameter.name: parameter.name
        for parameter in description.parameters
        if parameter.place == "path"
    }
    if set(names) != set(rule.arguments):
        raise NotDescribed(f"the parameters of {rule.rule}")
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda match: f"{{{names[match[1]]}}}", rule.rule)


def _place(rule: Rule) -> int:
    """The place of a rule's operation in the document: that of its endpoint in the tags."""
    return _PLACES.get(rule.endpoint, len(_PLACES))


def _methods(rule: Rule) -> Iterable[str]:
    # HTTP defines these two for every path.
    return sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
