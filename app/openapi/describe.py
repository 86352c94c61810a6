"""What a view says of itself, beside it, for the OpenAPI document (`app.openapi.document`).

    @views.get("/jobs/<job_id>")
    @describes(
        "One job's record.",
        {200: JobRecord},
        errors=(JobNotFound, InvalidRequest),
        parameters=(JOB, Parameter("wait", "query", {"type": "number"}, "Seconds to wait.")),
    )
    def one(job_id: str) -> Response:

The path, the methods, whether one must sign in, and what any view may answer are not said
there: the document knows them from the application.
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


class Text(NamedTuple):
    """A body that is no JSON of ours, in words, with an example.

    `schema` may speak of `models` (see `app.openapi.json_schema.reference`).
    """

    description: str
    example: str = ""
    schema: Mapping[str, Any] = {"type": "string"}
    models: Collection[Model] = ()


class Parameter(NamedTuple):
    """A parameter of a request, its schema in JSON Schema.

    `argument` is the name of a path parameter in Flask's rule, if it has another there.
    """

    name: str
    place: Literal["path", "query", "header"]
    schema: Mapping[str, Any]
    description: str
    argument: str | None = None
    required: bool = False
    example: Any = None


class Answer(NamedTuple):
    """One status that a view answers with: in words, by media type, with these headers.

    The headers are those of `app.openapi.headers`; `sometimes` are those that not every answer of
    this status has. `links` names the views for which the header
    X-Process-ID of this answer is the job's id.
    """

    description: str
    content: Mapping[str, Model | Text] = {}
    headers: Sequence[str] = ()
    sometimes: Sequence[str] = ()
    links: Collection[str] = ()


@dataclass(frozen=True)
class Body:
    """What a request's body may be, by media type, with examples by name."""

    content: Mapping[str, Model | Text]
    examples: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    required: bool = True


@dataclass(frozen=True)
class Description:
    """All that a view says of itself; errors are answered as `error_body`."""

    summary: str
    answers: Mapping[int, Answer]
    details: str
    errors: Sequence[type[GatewayError]]
    parameters: Sequence[Parameter]
    body: Body | None
    error_body: Model


def describes(
    summary: str,
    answers: Mapping[int, Model | Answer],
    *,
    details: str = "",
    errors: Sequence[type[GatewayError]] = (),
    parameters: Sequence[Parameter] = (),
    body: Body | None = None,
    error_body: Model = ErrorBody,
) -> Callable[[View], View]:
    """Describe a view; a model stands for an answer that is this model as JSON.

    `summary` is a sentence, `details` more of them (CommonMark). `errors` are those that this
    view can raise; those that any view can are added.
    """
    told = {
        status: answer
        if isinstance(answer, Answer)
        else Answer(_first_line(answer), {"application/json": answer})
        for status, answer in answers.items()
    }
    description = Description(summary, told, details, errors, parameters, body, error_body)

    def describe(view: View) -> View:
        view.__dict__["description"] = description
        return view

    return describe


def description_of(view: Callable[..., Any]) -> Description | None:
    """What a view says of itself, if it does."""
    found = getattr(view, "description", None)
    return found if isinstance(found, Description) else None


def query_of(model: Model, prefix: str, leave_out: Collection[str] = ()) -> list[Parameter]:
    """The fields of a model as parameters of the query; objects are JSON texts there."""
    parameters = []
    for name, schema in properties(model).items():
        if name not in leave_out:
            text = schema.pop("description", "")
            # There is no null in a query: who does not mean a parameter leaves it out.
            kinds = [kind for kind in schema.pop("anyOf", []) if kind != {"type": "null"}]
            if len(kinds) == 1:
                schema |= kinds[0]
            elif kinds:
                schema["anyOf"] = kinds
            parameters.append(Parameter(name, "query", schema, f"{prefix}{text}"))
    return parameters


def _first_line(model: Model) -> str:
    return (model.__doc__ or "").partition("\n")[0]
