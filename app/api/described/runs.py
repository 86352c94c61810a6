"""The JSON of `/runs`, as models for the OpenAPI document."""

from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from app.openapi.response_model import ResponseModel


class RunRow(ResponseModel):
    """A run: a process of the CLI."""

    run_id: UUID = Field(description="The run's id.")
    state: Literal["starting", "busy", "idle", "held", "spare"] = Field(
        description="`starting`: it does not serve its job yet. `busy`: it serves a job. `idle`: it"
        " is kept for its session's next job. `held`: it waits for the results of a client's tools."
        " `spare`: it was started before there is a job for it."
    )
    session_id: str | None = Field(description="Its session, once it has one.")
    cwd: str | None = Field(description="Its working directory; null for a spare.")
    model: str | None = Field(description="The model of its jobs; null: the CLI chooses.")
    user: str | None = Field(
        description="AUTH_USER, or the name of a key in API_KEYS; null for a spare."
    )
    process_id: UUID | None = Field(description="The id of the job that it serves now, if any.")
    jobs: int = Field(description="How many jobs it has served, this one included.", ge=0)
    idle_since: AwareDatetime | None = Field(description="Since when it has been idle, if it is.")
    memory_bytes: int | None = Field(
        description="The memory that it has to itself; null if that is unknown.", ge=0
    )
    own_turns: int = Field(
        description="How many turns the CLI has begun without a job since its last job, such as"
        " when a command in the background ended.",
        ge=0,
    )
    own_cost_usd: float = Field(description="What these turns have cost; no job includes it.")


class Runs(ResponseModel):
    """The processes of the CLI."""

    runs: list[RunRow] = Field(description="The runs.")
    count: int = Field(description="How many there are.", ge=0)


class EndedRun(ResponseModel):
    """A run that has ended."""

    status: Literal["ended"] = Field(description="Always `ended`.")
    run_id: UUID = Field(description="The run's id.")
