"""The JSON of `/stats`, as models for the OpenAPI document."""

from pydantic import Field

from app.openapi.response_model import ResponseModel


class StatsRow(ResponseModel):
    """Totals of one day, model or user."""

    day: str | None = Field(None, examples=["2026-11-21"], description="The date in UTC.")
    model: str | None = Field(None, description="The model that was asked for.")
    user: str | None = Field(None, description="AUTH_USER, or the name of a key in API_KEYS.")
    jobs: int = Field(description="How many jobs there were.")
    cost_usd: float = Field(description="What they cost, in US dollars.")
    tokens: dict[str, int] = Field(description="The tokens that they used, by kind.")


class Stats(ResponseModel):
    """Totals over the jobs that are kept."""

    version: str = Field(description="The gateway's version.")
    claude_version: str = Field(description="What the CLI reports as its version.")
    uptime_seconds: float = Field(description="How long the gateway has been running.")
    jobs: dict[str, int] = Field(description="The number of jobs by status.")
    days: list[StatsRow] = Field(description="Totals of each day.")
    models: list[StatsRow] = Field(description="Totals of each model.")
    users: list[StatsRow] = Field(description="Totals of each user.")
    cache: dict[str, int] | None = Field(
        None,
        description="Requests whose answers may be cached (CACHE), by how they were answered, since"
        " the gateway started. Only for the operator.",
        examples=[{"hit": 2, "joined": 0, "miss": 5}],
    )
    retried_starts: int | None = Field(
        None,
        description="Jobs whose CLI was started at the second attempt or later, since the gateway"
        " started. Only for the operator.",
    )
