"""The decorator that describes a view for the OpenAPI document (`app.openapi.document`).

    @views.get("/jobs/<job_id>")
    @describes(
        "Get the record of a job.",
        {200: JobRecord},
        errors=[JobNotFound, InvalidRequest],
        parameters=[JOB, Parameter("wait", "query", {"type": "number"}, "Seconds to wait.")],
    )
    def one(job_id: str) -> Response:

Paths, methods and whether a view needs credentials come from the application; the errors that
every view can raise are added.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeVar

from pydantic import BaseModel

from app.errors import GatewayError
from app.openapi.error_models import ErrorBody
from app.openapi.json_schema import properties

View = TypeVar("View", bound=Callable[..., Any])
Model = type[BaseModel]


#: The schema of a server-sent event without a name. The schema of a stream describes one event.
UNNAMED_EVENT: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "data": {"type": "string", "description": "The event: JSON, or the end's own word."}
    },
    "required": ["data"],
}


class Text(NamedTuple):
    """A body that is not JSON of one of our models, with an example.

    `schema` may refer to `models` (see `app.openapi.json_schema.reference`).
    """

    description: str
    example: str = ""
    schema: Mapping[str, Any] = {"type": "string"}
    models: Collection[Model] = ()


class Parameter(NamedTuple):
    """A parameter of a request, its schema in JSON Schema.

    `argument` is the name of a path parameter in Flask's rule, if it is another one there. An
    object `is_exploded` if each of its fields is a parameter.
    """

    name: str
    place: Literal["path", "query", "header"]
    schema: Mapping[str, Any]
    description: str
    argument: str | None = None
    required: bool = False
    example: Any = None
    is_exploded: bool = False


class ResponseDescription(NamedTuple):
    """A response of one status: its bodies by media type, and its headers.

    Every such response has `headers`, and some have `sometimes`; both are names in
    `app.openapi.headers`. `links` are the endpoints that take the response's X-Process-ID as the
    job's id.
    """

    description: str
    content: Mapping[str, Model | Text] = {}
    headers: Sequence[str] = ()
    sometimes: Sequence[str] = ()
    links: Collection[str] = ()


@dataclass(frozen=True)
class Body:
    """The body of a request: by media type, with named examples of its JSON."""

    content: Mapping[str, Model | Text]
    examples: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    required: bool = True


@dataclass(frozen=True)
class Description:
    """The description of a view; `error_bodies` are the models of its errors.

    There are several where a header asks for the format.
    """

    summary: str
    responses: Mapping[int, ResponseDescription]
    details: str
    errors: Sequence[type[GatewayError]]
    parameters: Sequence[Parameter]
    body: Body | None
    error_bodies: Sequence[Model]


def describes(
    summary: str,
    responses: Mapping[int, Model | ResponseDescription],
    *,
    details: str = "",
    errors: Sequence[type[GatewayError]] = (),
    parameters: Sequence[Parameter] = (),
    body: Body | None = None,
    error_body: Model | Sequence[Model] = ErrorBody,
) -> Callable[[View], View]:
    """Describe a view.

    A model is short for a JSON response with its docstring as the description. `summary` is one
    sentence, `details` are more (CommonMark). `errors` are those that not every view can raise.
    """
    by_status = {
        status: response
        if isinstance(response, ResponseDescription)
        else ResponseDescription(_first_line(response), {"application/json": response})
        for status, response in responses.items()
    }
    bodies = [error_body] if isinstance(error_body, type) else error_body
    description = Description(summary, by_status, details, errors, parameters, body, bodies)

    def describe(view: View) -> View:
        view.__dict__["description"] = description
        return view

    return describe


def description_of(view: Callable[..., Any]) -> Description | None:
    """The description of a view, if it has one."""
    description = getattr(view, "description", None)
    return description if isinstance(description, Description) else None


def query_of(
    model: Model, description: str, example: Mapping[str, Any], leave_out: Collection[str] = ()
) -> Parameter:
    """The fields of a model as query parameters, described as one object.

    Its name is not sent: each of its fields is a parameter. A list is a parameter that is repeated,
    and an object is JSON text.
    """
    fields = {}
    for name, schema in properties(model).items():
        if name not in leave_out:
            # The model's own description has them.
            for key in ("description", "examples"):
                schema.pop(key, None)
            # A query has no null: a client leaves the parameter out.
            kinds = [kind for kind in schema.pop("anyOf", []) if kind != {"type": "null"}]
            if len(kinds) == 1:
                schema |= kinds[0]
            elif kinds:
                schema["anyOf"] = kinds
            if schema.get("type") == "object":
                schema = {
                    "type": "string",
                    "contentMediaType": "application/json",
                    "contentSchema": schema,
                }
            fields[name] = schema
    whole = {
        "type": "object",
        "properties": fields,
        "additionalProperties": False,
        "examples": [example],
    }
    return Parameter("fields", "query", whole, description, is_exploded=True)


def _first_line(model: Model) -> str:
    return (model.__doc__ or "").partition("\n")[0]
