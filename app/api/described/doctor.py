"""The JSON of `/doctor`, as models for the OpenAPI document."""

from typing import Literal

from pydantic import Field

from app.openapi.response_model import ResponseModel


class Row(ResponseModel):
    """A check."""

    check: str = Field(description="What was checked.", examples=["login"])
    status: Literal["ok", "warning", "failed", "skipped"] = Field(
        description="`warning`: it may be intended. `skipped`: it does not apply here, or cannot be"
        " checked because of another row."
    )
    message: str = Field(description="What was found.", examples=["not logged in"])
    remedy: str | None = Field(
        description="What helps; null unless the status is `warning` or `failed`.",
        examples=["run claude auth login"],
    )


class Report(ResponseModel):
    """What was found."""

    rows: list[Row] = Field(description="The checks, in the order in which they were made.")
    ok: bool = Field(description="Whether none has failed.")
