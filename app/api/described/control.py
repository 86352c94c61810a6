"""The JSON of `POST /jobs/{process_id}/control`, as models for the OpenAPI document."""

from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.openapi.response_model import ResponseModel


class ControlBody(BaseModel):
    """A control request; its other fields depend on `subtype`."""

    model_config = ConfigDict(extra="allow")

    subtype: str = Field(description="What is asked for.", examples=["get_context_usage"])


class ControlAnswer(ResponseModel):
    """The CLI's answer to a control request."""

    process_id: UUID = Field(description="The job's id.")
    subtype: str = Field(description="What was asked for.")
    response: Any = Field(description="The CLI's answer; its fields are those of the CLI.")
