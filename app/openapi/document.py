"""The OpenAPI 3.1 document of an application, made from its routes and what its views say."""

import re
import sys
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from flask import Flask
from werkzeug.routing import Rule

from app.errors import (
    BadRequest,
    GatewayError,
    HeadersTooLarge,
    HostNotAllowed,
    InternalError,
    UriTooLong,
)
from app.http import access
from app.openapi.describe import Answer, Body, Description, Model, Parameter, Text, description_of
from app.openapi.headers import HEADERS, Header
from app.openapi.json_schema import components, reference
from app.version import VERSION

#: What any view may answer.
ERRORS: tuple[type[GatewayError], ...] = (
    BadRequest,
    HostNotAllowed,
    UriTooLong,
    HeadersTooLarge,
    InternalError,
)

REQUEST_ID = Parameter(
    "X-Request-ID",
    "header",
    {"type": "string"},
    "An id for this request, up to 128 letters, digits, dots, dashes and underscores; another is"
    " made if it is none.",
)

_ABOUT = """\
Runs of the Claude Code CLI over HTTP: `POST /chat` starts a job in a folder of the gateway's
machine, and its JSON lines come back as server-sent events.

**Errors** are JSON with `detail`, `code` and `request_id`. Beside those that are listed with each
operation: 404 `not_found` where there is no such path, 405 `method_not_allowed` with `Allow`,
417 `expectation_failed`, and 501 `transfer_coding_not_supported`.

**Web pages** of other sites are refused (403 `cross_site_request`) unless the operator names them.
"""

_SCHEMES = {
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "AUTH_USER and AUTH_PASSWORD, in UTF-8 (RFC 7617).",
    },
    "bearer": {"type": "http", "scheme": "bearer", "description": "One of API_KEYS."},
}


class NotDescribed(Exception):
    """A view says nothing of itself, or not all that must be said."""


def make_document(app: Flask) -> dict[str, Any]:
    """The document. Raises NotDescribed."""
    paths: dict[str, dict[str, Any]] = {}
    models: set[Model] = set()
    tags: dict[str, str] = {}
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        description = description_of(view)
        if description is None:
            raise NotDescribed(f"{rule.rule} ({rule.endpoint})")
        tag = rule.endpoint.partition(".")[0]
        # What the module says of itself is true of all its views.
        tags[tag] = (sys.modules[view.__module__].__doc__ or "").strip().partition("\n")[0]
        operation = {
            "operationId": operation_id(rule.endpoint),
            "tags": [tag],
            **_operation(description, rule, access.is_protected(app, rule.endpoint)),
        }
        models.update(_models_of(description))
        for method in _methods(rule):
            paths.setdefault(path_of(rule, description), {})[method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "claudecode2api",
            "version": VERSION,
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        # Beside this document, also behind a proxy that adds a prefix.
        "servers": [{"url": "."}],
        "tags": [{"name": name, "description": text} for name, text in tags.items()],
        "paths": paths,
        "components": {
            "schemas": components(models),
            "headers": {name: _header(header) for name, header in HEADERS.items()},
            "securitySchemes": _SCHEMES,
        },
    }


def path_of(rule: Rule, description: Description) -> str:
    """A rule's path as the document has it. Raises NotDescribed for a part without words."""
    names = {
        parameter.argument or parameter.name: parameter.name
        for parameter in description.parameters
        if parameter.place == "path"
    }
    if set(names) != set(rule.arguments):
        raise NotDescribed(f"the parameters of {rule.rule}")
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda match: f"{{{names[match[1]]}}}", rule.rule)


def operation_id(endpoint: str) -> str:
    """What the document calls a view."""
    return endpoint.replace(".", "_")


def errors_of(description: Description, protected: bool) -> list[type[GatewayError]]:
    """All errors that a view may answer."""
    return [*description.errors, *(access.ACCESS_ERRORS if protected else ()), *ERRORS]


def _methods(rule: Rule) -> Iterable[str]:
    # These two are as HTTP has them for every path.
    return sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})


def _operation(description: Description, rule: Rule, protected: bool) -> dict[str, Any]:
    parameters = [*description.parameters, REQUEST_ID]
    operation: dict[str, Any] = {
        "summary": description.summary,
        "description": description.details,
        "parameters": [_parameter(parameter) for parameter in parameters],
        "responses": _responses(description, errors_of(description, protected)),
        "security": [{name: []} for name in _SCHEMES] if protected else [],
    }
    if description.body is not None:
        operation["requestBody"] = _body(description.body)
    return operation


def _parameter(parameter: Parameter) -> dict[str, Any]:
    schema = dict(parameter.schema)
    told: dict[str, Any] = {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.required or parameter.place == "path",
        "description": parameter.description,
    }
    if schema.get("type") == "object":
        told["content"] = {"application/json": {"schema": schema}}
    else:
        told["schema"] = schema
    if parameter.example is not None:
        told["example"] = parameter.example
    return told


def _body(body: Body) -> dict[str, Any]:
    content = {}
    for kind, held in body.content.items():
        content[kind] = _media(held)
        if not isinstance(held, Text) and body.examples:
            content[kind]["examples"] = {
                name: {"value": value} for name, value in body.examples.items()
            }
    return {"required": body.required, "content": content}


def _responses(description: Description, errors: list[type[GatewayError]]) -> dict[str, Any]:
    by_status: dict[int, list[type[GatewayError]]] = {}
    for error in errors:
        by_status.setdefault(error.status, []).append(error)
    responses = {}
    for status in sorted({*description.answers, *by_status}):
        answer = description.answers.get(status)
        told = {} if answer is None else _answer(answer)
        if status in by_status:
            _add_errors(told, by_status[status], description.error_body)
        told["headers"] = _headers(answer, by_status.get(status, []))
        responses[str(status)] = told
    return responses


def _headers(answer: Answer | None, errors: list[type[GatewayError]]) -> dict[str, Any]:
    """The headers of a status; only those that all that it may mean have are certain."""
    sets = [set(error.header_names) for error in errors]
    if answer is not None:
        sets.append(set(answer.headers))
    sometimes = () if answer is None else answer.sometimes
    headers: dict[str, dict[str, Any]] = {}
    for name in sorted({"X-Request-ID", *set.union(*sets), *sometimes}):
        headers[name] = {"$ref": f"#/components/headers/{name}"}
        if name != "X-Request-ID" and not all(name in each for each in sets):
            headers[name] = {**_header(HEADERS[name]), "required": False}
    return headers


def _header(header: Header) -> dict[str, Any]:
    return {
        "description": header.description,
        "required": True,
        "schema": dict(header.schema),
    }


def _answer(answer: Answer) -> dict[str, Any]:
    told: dict[str, Any] = {"description": answer.description}
    if answer.content:
        told["content"] = {kind: _media(held) for kind, held in answer.content.items()}
    if answer.links:
        told["links"] = {
            operation_id(endpoint): {
                "operationId": operation_id(endpoint),
                "parameters": {"process_id": "$response.header.X-Process-ID"},
            }
            for endpoint in answer.links
        }
    return told


def _add_errors(told: dict[str, Any], errors: list[type[GatewayError]], body: Model) -> None:
    """Add what these errors, of one status, answer to what else this status may mean."""
    # A face may have names of its own for them.
    names: Mapping[str, str] = getattr(body, "codes", {})
    codes = {names.get(error.code, error.code): _first_line(error) for error in reversed(errors)}
    lines = [f"- `{code}`: {text}" for code, text in sorted(codes.items())]
    said = told.get("description", HTTPStatus(errors[0].status).phrase)
    told["description"] = "\n".join([said, "", *lines])
    schema = reference(body)
    if "code" in body.model_fields:
        schema["properties"] = {"code": {"enum": sorted(codes)}}
    content = told.setdefault("content", {})
    if "application/json" in content:
        schema = {"anyOf": [content["application/json"]["schema"], schema]}
    content["application/json"] = {"schema": schema}


def _media(held: Model | Text) -> dict[str, Any]:
    if not isinstance(held, Text):
        return {"schema": reference(held)}
    media: dict[str, Any] = {"schema": {**held.schema, "description": held.description}}
    if held.example:
        media["example"] = held.example
    return media


def _models_of(description: Description) -> set[Model]:
    held: list[Mapping[str, Model | Text]] = [
        answer.content for answer in description.answers.values()
    ]
    if description.body is not None:
        held.append(description.body.content)
    models: set[Model] = {description.error_body}
    for content in held:
        for one in content.values():
            models.update(one.models if isinstance(one, Text) else [one])
    return models


def _first_line(error: type[GatewayError]) -> str:
    return (error.__doc__ or "").partition("\n")[0]
