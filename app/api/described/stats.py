"""The JSON of `/stats`, as models for the OpenAPI document."""

from pydantic import Field

from app.openapi.response_model import ResponseModel


class StatsRow(ResponseModel):
    """Totals of one day, model or user."""

    day: str | None = Field(None, examples=["2026-11-21"], description="The date in UTC.")
    model: str | None = None
    user: str | None = None
    jobs: int
    cost_usd: float
    tokens: dict[str, int]


class Stats(ResponseModel):
    """Totals over the jobs that are kept."""

    version: str
    claude_version: str
    uptime_seconds: float
    jobs: dict[str, int] = Field(description="The number of jobs by status.")
    days: list[StatsRow]
    models: list[StatsRow]
    users: list[StatsRow]
