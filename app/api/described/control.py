"""The JSON of `POST /jobs/{process_id}/control`, as models for the OpenAPI document."""

from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.openapi.response_model import ResponseModel


class ControlBody(BaseModel):
    """A control request; the further fields depend on its `subtype`."""

    model_config = ConfigDict(extra="allow")

    subtype: str = Field(description="The kind of the request.", examples=["get_context_usage"])


class ControlAnswer(ResponseModel):
    """The CLI's answer to a control request."""

    process_id: UUID = Field(description="The job's id.")
    subtype: str = Field(description="The kind of the request.")
    response: Any = Field(description="What the CLI answered; its fields are the CLI's own.")
