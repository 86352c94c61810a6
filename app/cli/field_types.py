"""The types of the fields of a chat request, with their bounds."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from app.cli.duration import read_duration
from app.cli.transcripts import session_id_in

#: Items of a list; characters of the name of a model or a mode.
MOST_LISTED = 1000
LONGEST_NAME = 500
#: Characters of the title of a job, or of the name of its session.
LONGEST_TITLE = 200
#: Variables in `env`; characters of each value, and of all names and values together.
MOST_VARIABLES = 100
LONGEST_VALUE = 32_768
LONGEST_ENV = 262_144
#: Turns, and US dollars.
MOST_TURNS = 1_000_000
LEAST_BUDGET = 0.000_001
MOST_BUDGET = 1_000_000
#: Seconds of the longest time that a field can ask for: a year.
LONGEST_TIME = 31_536_000
#: Asks for the longest time that the operator allows (`keep_alive`).
FOREVER = -1.0

Item = Annotated[str, StringConstraints(min_length=1)]
# Of many invalid items, one is reported.
Items = Annotated[list[Item], Field(max_length=MOST_LISTED, fail_fast=True)]
Name = Annotated[str, StringConstraints(max_length=LONGEST_NAME)]
Title = Annotated[str, StringConstraints(max_length=LONGEST_TITLE)]


def _session_id(text: str) -> str:
    """A session id. The CLI would also accept a title, even of another user's session."""
    return _uuid(text, "no_session_id", "session_id in the done event")


def _message_id(text: str) -> str:
    return _uuid(text, "no_message_id", "uuid in a line of type assistant")


def _uuid(text: str, kind: Literal["no_session_id", "no_message_id"], example: str) -> str:
    found = session_id_in(text)
    if text and found is None:
        raise PydanticCustomError(kind, "Must be a UUID, like {example}", {"example": example})
    return found or ""


def _duration(value: Any) -> Any:
    """The seconds of a text. Any other value is validated as a number."""
    try:
        return read_duration(value) if isinstance(value, str) else value
    except ValueError as error:
        raise PydanticCustomError("no_duration", "{reason}", {"reason": str(error)}) from None


def _time_to_keep(seconds: float) -> float:
    if seconds < 0 and seconds != FOREVER:
        raise PydanticCustomError("no_duration", "Must be 0 or more, or -1 for the longest time")
    return seconds


def _few_variables(variables: Any) -> Any:
    # Of many wrong ones, each would be an error.
    if isinstance(variables, dict) and len(variables) > MOST_VARIABLES:
        raise PydanticCustomError(
            "too_many_items", "Must have at most {most} variables", {"most": MOST_VARIABLES}
        )
    return variables


def _short_variables(variables: dict[str, str]) -> dict[str, str]:
    if sum(len(name) + len(value) for name, value in variables.items()) > LONGEST_ENV:
        raise PydanticCustomError(
            "too_long", "Must have at most {most} characters together", {"most": LONGEST_ENV}
        )
    return variables


SessionId = Annotated[str, AfterValidator(_session_id)]
MessageId = Annotated[str, AfterValidator(_message_id)]
Effort = Literal["low", "medium", "high", "xhigh", "max"]
SettingSources = Annotated[list[Literal["user", "project", "local"]], Field(max_length=3)]
Time = Annotated[float, Field(ge=0, le=LONGEST_TIME)]
KeepAlive = Annotated[
    float,
    BeforeValidator(_duration),
    AfterValidator(_time_to_keep),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": -1}, {"type": "string"}]}),
]
_Variable = Annotated[str, StringConstraints(pattern="^[A-Za-z_][A-Za-z0-9_]{0,99}$")]
_Value = Annotated[str, StringConstraints(max_length=LONGEST_VALUE)]
Env = Annotated[
    dict[_Variable, _Value],
    Field(max_length=MOST_VARIABLES),
    BeforeValidator(_few_variables),
    AfterValidator(_short_variables),
]
