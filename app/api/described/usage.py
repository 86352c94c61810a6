"""The JSON of `/usage`, as models for the OpenAPI document."""

from datetime import date
from typing import Literal

from pydantic import Field

from app.openapi.response_model import ResponseModel


class UsageTotal(ResponseModel):
    """What some jobs have used."""

    jobs: int = Field(description="How many jobs have ended.", ge=0)
    failed: int = Field(description="How many of them have failed, timed out or got lost.", ge=0)
    cost_usd: float = Field(
        description="What they cost, in US dollars, with the turns that kept runs have begun by"
        " themselves.",
        ge=0,
    )
    input_tokens: int = Field(description="The model's input tokens, without cached ones.", ge=0)
    output_tokens: int = Field(description="The model's output tokens.", ge=0)
    cache_read_tokens: int = Field(description="Tokens that were read from a cache.", ge=0)
    cache_creation_tokens: int = Field(description="Tokens that were written to a cache.", ge=0)
    duration_ms: int = Field(
        description="The milliseconds from each job's request to its end, added up.", ge=0
    )


class UsageRow(UsageTotal):
    """What the jobs of one day, model or user have used."""

    key: str = Field(
        description="The day in UTC, the model that was asked for (empty: the CLI has chosen), or"
        " the user's name.",
        examples=["2026-11-26"],
    )


class StartTimes(ResponseModel):
    """Jobs that got their process of the CLI in the same way."""

    jobs: int = Field(description="How many there were.", ge=0)
    first_line_ms: int | None = Field(
        description="The median of the milliseconds from the request to the first line, to two"
        " digits, over the jobs whose client waited for it; null if there are none.",
        ge=0,
    )


class AllStartTimes(ResponseModel):
    """The jobs by the way in which they got their process of the CLI."""

    cold: StartTimes = Field(description="A process was started, with a new session.")
    resumed: StartTimes = Field(description="A process was started, and has loaded a session.")
    kept: StartTimes = Field(description="A process was there for the session (`keep_alive`).")
    spare: StartTimes = Field(description="A process was started ahead (SPARES).")


class Usage(ResponseModel):
    """What jobs have used in a time."""

    from_: date = Field(alias="from", description="The first day, in UTC.")
    to: date = Field(description="The last day, in UTC.")
    by: Literal["day", "model", "user"] = Field(description="What the rows are about.")
    rows: list[UsageRow] = Field(description="Those of which there is something, by their `key`.")
    total: UsageTotal = Field(description="The sum of the rows.")
    starts: AllStartTimes = Field(description="How the jobs got their process of the CLI.")
    saved_ms: int = Field(
        description="The milliseconds by which kept runs and spares have made first lines come"
        " earlier, by the medians in `starts`.",
        ge=0,
    )
