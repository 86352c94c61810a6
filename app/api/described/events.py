"""The events of `/events`, for the OpenAPI document."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from app.api.described.event_schema import event_schema, json_data
from app.api.described.jobs import JobRow
from app.api.described.questions import OpenQuestion
from app.api.described.runs import RunRow
from app.openapi.describe import Text
from app.openapi.response_model import ResponseModel


class ChangedRun(RunRow):
    """A run that has changed, or has ended."""

    state: Literal["starting", "busy", "idle", "held", "spare", "ended"] = Field(  # type: ignore[assignment]
        description="As in the list of runs, or `ended`."
    )


class QuestionClosed(ResponseModel):
    """A question that needs no answer any more."""

    question_id: str = Field(description="The question's id.")
    process_id: UUID = Field(description="The job's id.")
    behavior: str = Field(description="As in `closed` of a job's questions.")
    user: str | None = Field(description="Who answered; null: no user did.")


_EXAMPLE = """\
retry: 1000
id: 8f14e45fceea167a-25

event: job
data: {"process_id":"1dd2ca9e-592a-4d5c-ae55-b5c258d29ddb","status":"running","title":"Hello"}
id: 8f14e45fceea167a-112

: ping
"""


#: The events.
EVENTS = Text(
    "The first block has only an `id`. `: ping` is a comment that keeps the connection open. After"
    " `reset`, events may be missing: read the lists anew. An event without an `id` belongs"
    " together with the next one that has one.",
    _EXAMPLE,
    {
        "oneOf": [
            event_schema("job", "A job that has changed.", json_data(JobRow)),
            event_schema("question", "A question that needs an answer.", json_data(OpenQuestion)),
            event_schema(
                "question_closed", "A question that was closed.", json_data(QuestionClosed)
            ),
            event_schema("run", "A run that has changed.", json_data(ChangedRun)),
            event_schema("reset", "Events are missing: an empty object.", {}),
        ]
    },
    (JobRow, OpenQuestion, QuestionClosed, ChangedRun),
)
