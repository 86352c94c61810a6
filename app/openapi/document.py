"""The OpenAPI 3.1 document of an application, made from its routes and the views' descriptions."""

import re
import sys
from collections.abc import Iterable
from typing import Any

from flask import Flask
from werkzeug.routing import Rule

from app.http.access import is_protected
from app.openapi.describe import Description, Model, description_of
from app.openapi.headers import HEADERS, header_object
from app.openapi.json_schema import components
from app.openapi.operation import SECURITY_SCHEMES, models_of, operation_id, operation_object
from app.version import VERSION

_ABOUT = """\
Run the Claude Code CLI over HTTP: `POST /chat` starts a job in a folder of the gateway's machine
and streams the CLI's JSON lines as server-sent events.

**Errors** are JSON with `detail`, `code` and `request_id`. Each operation lists its own. Any path
can also respond with 404 `not_found`, 405 `method_not_allowed` with `Allow`, 417
`expectation_failed`, or 501 `transfer_coding_not_supported`.

**Web pages** of other sites are refused (403 `cross_site_request`) unless their origin is in
CORS_ORIGINS.
"""


class NotDescribed(Exception):
    """A view has no description, or one that leaves a path parameter out."""


def make_document(app: Flask) -> dict[str, Any]:
    """The document. Raises NotDescribed."""
    paths: dict[str, dict[str, Any]] = {}
    models: set[Model] = set()
    tags: dict[str, str] = {}
    for rule in app.url_map.iter_rules():
        description = description_of(app.view_functions[rule.endpoint])
        if description is None:
            raise NotDescribed(f"{rule.rule} ({rule.endpoint})")
        path = path_of(rule, description)
        tag = rule.endpoint.partition(".")[0]
        tags[tag] = _tag_description(app, tag)
        operation = {
            "operationId": operation_id(rule.endpoint),
            "tags": [tag],
            **operation_object(description, is_protected(app, rule.endpoint)),
        }
        models.update(models_of(description))
        for method in _methods(rule):
            paths.setdefault(path, {})[method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "claudecode2api",
            "version": VERSION,
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        # Relative to this document, also behind a proxy that adds a prefix.
        "servers": [{"url": "."}],
        "tags": [{"name": name, "description": text} for name, text in tags.items()],
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


def _tag_description(app: Flask, blueprint: str) -> str:
    """The first line of the docstring of the module that makes a blueprint."""
    module = sys.modules[app.blueprints[blueprint].import_name]
    return (module.__doc__ or "").strip().partition("\n")[0]


def _methods(rule: Rule) -> Iterable[str]:
    # HTTP defines these two for every path.
    return sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
