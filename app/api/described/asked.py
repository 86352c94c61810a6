"""The JSON of `/jobs/{process_id}/request`, as models for the OpenAPI document."""

from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, Field

from app.api.described.jobs import MessageState
from app.openapi.response_model import ResponseModel


class AskedMessage(MessageState):
    """A message that was sent to a job while it ran."""

    sent_at: AwareDatetime | None = Field(description="When it was sent.")
    user: str | None = Field(
        description="Who sent it: AUTH_USER, or the name of a key in API_KEYS.", examples=["admin"]
    )
    # Each message has one of the two.
    text: str | None = Field(
        None, description="The message, if it is a text; null if it is too long to be shown."
    )
    content: list[Any] = Field([], description="The message, if it is made of blocks.")


class Asked(ResponseModel):
    """What was asked of a job."""

    process_id: UUID = Field(description="The job's id.")
    prompt: str | list[Any] | None = Field(
        description="The prompt as the CLI got it: a text, or blocks of the Messages API. null: it"
        " is not kept."
    )
    prompt_is_cut: bool = Field(
        description="Whether the prompt has more than 8 MiB: then `prompt` is the beginning of a"
        " text, or null."
    )
    fields: dict[str, Any] = Field(
        description="The other fields of the request.",
        examples=[{"cwd": "/home/me/project", "model": "sonnet", "env": {"CI": "***"}}],
    )
    left_out: list[str] = Field(
        description="The names of fields that are too long to be kept: more than 64 KiB of JSON."
    )
    messages: list[AskedMessage] = Field(
        description="The messages that were sent while it ran, oldest first."
    )
