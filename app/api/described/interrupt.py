"""The JSON of `POST /jobs/{process_id}/interrupt`, as a model for the OpenAPI document."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from app.openapi.response_model import ResponseModel


class Interrupted(ResponseModel):
    """A job that was interrupted."""

    status: Literal["interrupted"] = Field(description="Always `interrupted`.")
    process_id: UUID = Field(description="The job's id.")
