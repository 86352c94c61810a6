"""What a client may ask for: the body of `POST /v1/chat/completions`."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
)

from app.conversation.errors import BadParameter
from app.conversation.messages import MOST_MESSAGES, Message
from app.errors import InvalidRequest
from app.json_body import read_object, validate

# What the CLI cannot do. With one of these values a parameter asks for nothing.
_CANNOT: dict[str, tuple[object, ...]] = {
    "n": (1,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "modalities": (["text"],),
    "audio": (),
    "web_search_options": (),
    "prediction": (),
}


def _as_list(value: object) -> object:
    """One text is a list of one, and none is an empty one."""
    if value is None:
        return []
    return [value] if isinstance(value, str) else value


class StreamOptions(BaseModel):
    """How to stream."""

    model_config = ConfigDict(extra="ignore")

    include_usage: StrictBool = False


class JsonSchema(BaseModel):
    """The schema of a structured answer; its name is the client's own business."""

    model_config = ConfigDict(extra="ignore")

    schema_: dict[str, Any] | None = Field(None, alias="schema")


class ResponseFormat(BaseModel):
    """Which form the answer has."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None

    def schema_of_answer(self) -> dict[str, Any] | None:
        """The schema that the answer must follow, if any."""
        if self.type == "text":
            return None
        given = self.json_schema.schema_ if self.json_schema else None
        if self.type == "json_schema" and given is None:
            raise BadParameter("response_format.json_schema.schema", "A json_schema needs a schema")
        return given if self.type == "json_schema" and given is not None else {"type": "object"}


Stop = Annotated[str, Field(min_length=1, max_length=256)]


class CompletionRequest(BaseModel):
    """A chat completion. What is not here is collected, to tell what is ignored."""

    model_config = ConfigDict(extra="allow")

    messages: list[Message] = Field(min_length=1, max_length=MOST_MESSAGES, fail_fast=True)
    model: str | None = None
    stream: StrictBool | None = None
    stream_options: StreamOptions | None = None
    stop: Annotated[
        list[Stop],
        Field(max_length=16, fail_fast=True),
        BeforeValidator(_as_list, json_schema_input_type=Stop | list[Stop] | None),
    ] = []
    max_tokens: int | None = Field(None, gt=0, strict=True)
    max_completion_tokens: int | None = Field(None, gt=0, strict=True)
    response_format: ResponseFormat | None = None
    metadata: dict[str, Any] | None = None
    conversation_id: str | None = None
    session_id: str | None = None
    claude: dict[str, Any] | None = None

    def most_tokens(self) -> int | None:
        """How many tokens the answer may have."""
        given = [
            number for number in (self.max_tokens, self.max_completion_tokens) if number is not None
        ]
        return min(given, default=None)

    def ignored(self) -> list[str]:
        """The parameters that change nothing here, in order."""
        extra = self.model_extra or {}
        return sorted(
            name for name, value in extra.items() if value is not None and name not in _CANNOT
        )


def read_completion(body: bytes) -> CompletionRequest:
    """The request in a JSON body.

    Raises InvalidRequest, which names each wrong parameter, and BadParameter for one that the
    CLI has no way to obey.
    """
    try:
        request = validate(CompletionRequest, read_object(body))
    except InvalidRequest as error:
        raise error.relocated(_place) from None
    for name, harmless in _CANNOT.items():
        value = (request.model_extra or {}).get(name)
        if value is not None and value not in harmless:
            raise BadParameter(
                name,
                f"Claude Code cannot do what {name!r} asks for; leave it out",
                "unsupported_parameter",
            )
    return request


def _place(location: Sequence[str | int]) -> list[str | int]:
    """A place without the name of the kind of part that was tried there."""
    kinds = {"text", "refusal", "image_url"}
    return [
        part
        for index, part in enumerate(location)
        if not (part in kinds and index and isinstance(location[index - 1], int))
    ]
