"""The events of an answer, in the order in which a client gets them. Pure."""

from typing import Any, NamedTuple

from app.conversation.usage import TokenUsage


class AnswerStart(NamedTuple):
    """The model has started to answer."""

    model: str | None
    session_id: str | None


class TextDelta(NamedTuple):
    """A piece of the answer's text."""

    text: str


class CallStart(NamedTuple):
    """The model begins to call a tool of the client."""

    id: str
    name: str


class CallDelta(NamedTuple):
    """A piece of the arguments of the call that began last, which are JSON."""

    json: str


class ModelEvent(NamedTuple):
    """An event of the model's API as it is."""

    fields: dict[str, Any]


class AgentLine(NamedTuple):
    """A line of the CLI's output: one JSON object."""

    fields: dict[str, Any]


class Comment(NamedTuple):
    """A sign of life while the job is queued or silent."""

    text: str


class AnswerEnd(NamedTuple):
    """The end of the answer.

    `stop_reason` is a word of the model's API: `end_turn`, or `max_tokens`, `stop_sequence`,
    `refusal` and others. `is_complete`: the client got all that the model wrote.
    """

    stop_reason: str
    is_complete: bool


class UsageReport(NamedTuple):
    """The tokens of the answer. The last event."""

    usage: TokenUsage


#: What the lines of the CLI are parsed into.
AnswerEvent = AnswerStart | TextDelta | CallStart | CallDelta | ModelEvent | AgentLine
#: What a reader of a job gets.
Event = AnswerEvent | Comment | AnswerEnd | UsageReport
