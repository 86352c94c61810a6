"""An operation object of OpenAPI 3.1, made from the description of a view."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from app.errors import (
    BadRequest,
    GatewayError,
    HeadersTooLarge,
    HostNotAllowed,
    InternalError,
    UriTooLong,
)
from app.http.access import ACCESS_ERRORS, API_KEY
from app.openapi.describe import Body, Description, Model, Parameter, ResponseDescription, Text
from app.openapi.headers import HEADERS, header_object
from app.openapi.json_schema import reference

#: Errors of every view.
COMMON_ERRORS: tuple[type[GatewayError], ...] = (
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
    "An id for this request, to find it in the log: up to 128 letters, digits, dots, dashes and"
    " underscores. The gateway makes one if it is missing or invalid.",
)

SECURITY_SCHEMES = {
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "The operator's user name and password: AUTH_USER and AUTH_PASSWORD.",
    },
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key: one of API_KEYS."},
    "api_key": {
        "type": "apiKey",
        "in": "header",
        "name": API_KEY,
        "description": "A key in API_KEYS, as Anthropic's clients send it.",
    },
}
# Every other scheme can be used for all views that need credentials.
_API_KEY = "api_key"


def operation_object(
    description: Description, protected: bool, takes_api_key: bool = False
) -> dict[str, Any]:
    """The operation; `protected` views need credentials, and some take the header x-api-key."""
    parameters = [*description.parameters, REQUEST_ID]
    schemes = [name for name in SECURITY_SCHEMES if takes_api_key or name != _API_KEY]
    operation: dict[str, Any] = {
        "summary": description.summary,
        "description": description.details,
        "parameters": [_parameter(parameter) for parameter in parameters],
        "responses": _responses(description, errors_of(description, protected)),
        "security": [{name: []} for name in schemes] if protected else [],
    }
    if description.body is not None:
        operation["requestBody"] = _body(description.body)
    return operation


def operation_id(endpoint: str) -> str:
    """The id of the operation of an endpoint."""
    return endpoint.replace(".", "_")


def errors_of(description: Description, protected: bool) -> list[type[GatewayError]]:
    """All errors that a view can respond with."""
    return [*description.errors, *(ACCESS_ERRORS if protected else ()), *COMMON_ERRORS]


def models_of(description: Description) -> set[Model]:
    """All models to which the operation refers."""
    contents = [response.content for response in description.responses.values()]
    if description.body is not None:
        contents.append(description.body.content)
    models: set[Model] = {*description.error_bodies}
    for content in contents:
        for body in content.values():
            models.update(body.models if isinstance(body, Text) else [body])
    return models


def _parameter(parameter: Parameter) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.required or parameter.place == "path",
        "description": parameter.description,
    }
    described["schema"] = dict(parameter.schema)
    if parameter.is_exploded:
        described |= {"style": "form", "explode": True}
    if parameter.example is not None:
        described["example"] = parameter.example
    return described


def _body(body: Body) -> dict[str, Any]:
    content = {}
    for kind, media in body.content.items():
        content[kind] = _media(media)
        if kind == "application/json" and body.examples:
            content[kind]["examples"] = {
                name: {"value": value} for name, value in body.examples.items()
            }
    return {"required": body.required, "content": content}


def _responses(description: Description, errors: list[type[GatewayError]]) -> dict[str, Any]:
    by_status: dict[int, list[type[GatewayError]]] = {}
    for error in errors:
        by_status.setdefault(error.status, []).append(error)
    responses = {}
    for status in sorted({*description.responses, *by_status}):
        described = description.responses.get(status)
        response = {} if described is None else _response(described)
        if status in by_status:
            _add_errors(response, by_status[status], description.error_bodies)
        response["headers"] = _headers(described, by_status.get(status, []))
        responses[str(status)] = response
    return responses


def _response(described: ResponseDescription) -> dict[str, Any]:
    response: dict[str, Any] = {"description": described.description}
    if described.content:
        response["content"] = {kind: _media(media) for kind, media in described.content.items()}
    if described.links:
        response["links"] = {
            operation_id(endpoint): {
                "operationId": operation_id(endpoint),
                "parameters": {"process_id": "$response.header.X-Process-ID"},
            }
            for endpoint in described.links
        }
    return response


def _headers(
    described: ResponseDescription | None, errors: list[type[GatewayError]]
) -> dict[str, Any]:
    """The headers of a status; required are those that every response of this status has."""
    sets = [set(error.header_names) for error in errors]
    if described is not None:
        sets.append(set(described.headers))
    sometimes = () if described is None else described.sometimes
    headers: dict[str, dict[str, Any]] = {}
    for name in sorted({"X-Request-ID", *set.union(*sets), *sometimes}):
        headers[name] = {"$ref": f"#/components/headers/{name}"}
        if name != "X-Request-ID" and not all(name in each for each in sets):
            headers[name] = {**header_object(HEADERS[name]), "required": False}
    return headers


def _add_errors(
    response: dict[str, Any], errors: list[type[GatewayError]], bodies: Sequence[Model]
) -> None:
    """Add errors, all of one status, to the response of that status."""
    body = bodies[0]
    # An API may have names of its own for some codes.
    names: Mapping[str, str] = getattr(body, "codes", {})
    codes = {names.get(error.code, error.code): _first_line(error) for error in reversed(errors)}
    lines = [f"- `{code}`: {text}" for code, text in sorted(codes.items())]
    heading = response.get("description", HTTPStatus(errors[0].status).phrase)
    response["description"] = "\n".join([heading, "", *lines])
    schema = reference(body)
    if "code" in body.model_fields:
        schema["properties"] = {"code": {"enum": sorted(codes)}}
    content = response.setdefault("content", {})
    before = content["application/json"]["schema"] if "application/json" in content else None
    schemas = [*([before] if before else []), schema, *map(reference, bodies[1:])]
    content["application/json"] = {
        "schema": schema if len(schemas) == 1 else {"anyOf": schemas},
    }


def _media(media: Model | Text) -> dict[str, Any]:
    if not isinstance(media, Text):
        return {"schema": reference(media)}
    described: dict[str, Any] = {"schema": {**media.schema, "description": media.description}}
    if media.example:
        described["example"] = media.example
    return described


def _first_line(error: type[GatewayError]) -> str:
    return (error.__doc__ or "").partition("\n")[0]
