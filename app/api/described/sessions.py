"""The JSON of `/sessions`, as models for the OpenAPI document."""

from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from app.openapi.response_model import ResponseModel


class SessionRow(ResponseModel):
    """A session: a conversation with the CLI."""

    session_id: UUID = Field(description="Its id, for `session_id` of a request.")
    title: str | None = Field(
        description="The name that it was given, else the CLI's title, else its first prompt."
    )
    cwd: str | None = Field(description="Its working directory, as far as is known.")
    turns: int | None = Field(
        description="Its turns by its transcript, else its jobs; null if that is unknown.", ge=0
    )
    cost_usd: float | None = Field(
        description="What your jobs in it have cost, those that are kept; for a session that was"
        " begun in a terminal, what the CLI has written; null if that is unknown."
    )
    last_used: AwareDatetime = Field(
        description="When its last job ended or, while one runs, was started; for a session"
        " without jobs, when its transcript was last changed."
    )
    origin: Literal["gateway", "terminal"] = Field(
        description="Whether a job of the gateway began it; `terminal` is listed for the operator."
    )
    user: str | None = Field(
        description="AUTH_USER, or the name of a key in API_KEYS; null for `terminal`."
    )
    running_job: UUID | None = Field(
        description="The job of this session that runs or waits, if any."
    )


class SessionRows(ResponseModel):
    """Sessions, the one used last first."""

    sessions: list[SessionRow] = Field(description="The sessions.")
    count: int = Field(description="How many these are.", ge=0)
    next: str | None = Field(
        description="For `before`, to get the next page; null at the end. A page can be short, even"
        " empty, before the end."
    )


class SessionDetails(SessionRow):
    """A session with its transcript and its jobs."""

    entries: list[dict[str, Any]] = Field(
        description="Lines of the CLI's transcript, the oldest first; `[]` if it is gone. Texts of"
        " more than 32,768 characters are cut off. A line of more than 1 MiB is replaced by"
        ' `{"type": "cut", "bytes": …, "text": "its beginning"}`.'
    )
    next: str | None = Field(
        description="For `before`, to get the entries before these; null at the beginning. A page"
        " can be short, even empty, before that."
    )
    jobs: list[UUID] = Field(
        description="Your jobs in this session, the newest first, at most 100."
    )
