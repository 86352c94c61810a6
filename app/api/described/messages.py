"""The JSON of `POST /jobs/{process_id}/messages`, as models for the OpenAPI document."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from app.openapi.response_model import ResponseModel


class SentMessage(ResponseModel):
    """A message that was sent; the job's record shows what becomes of it."""

    status: Literal["sent"] = Field(description="Always `sent`.")
    process_id: UUID = Field(description="The job's id.")
    message_id: UUID = Field(description="The message's id, as in the job's record.")
