"""The JSON of `/runs`, as models for the OpenAPI document."""

from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from app.openapi.response_model import ResponseModel


class RunRow(ResponseModel):
    """A process of the CLI."""

    run_id: UUID
    state: Literal["starting", "busy", "idle", "held", "spare"] = Field(
        description="`starting`. `busy`: it serves a job. `idle`: it is kept for its session's next"
        " job. `held`: it waits for the results of a client's tools. `spare`: it is there for a new"
        " session."
    )
    session_id: str | None
    cwd: str | None
    model: str | None
    user: str | None = Field(
        description="AUTH_USER, or the name of a key in API_KEYS; null for a spare run."
    )
    process_id: UUID | None = Field(description="The id of the job that it serves now.")
    jobs: int = Field(description="How many jobs it has served, with the present one.", ge=0)
    idle_since: AwareDatetime | None
    memory_bytes: int | None = Field(ge=0)
    own_turns: int = Field(
        description="How many turns the CLI has begun by itself since its last job.", ge=0
    )
    own_cost_usd: float = Field(description="What these turns cost; no job has this cost.")


class Runs(ResponseModel):
    """The processes of the CLI."""

    runs: list[RunRow]
    count: int = Field(ge=0)


class EndedRun(ResponseModel):
    """A run that has ended."""

    status: Literal["ended"]
    run_id: UUID
