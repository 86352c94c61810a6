"""The messages in the body of `POST /v1/chat/completions`. Pure."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from app.conversation import messages
from app.text import shortened

#: The most messages of a request, parts of a message and tool calls of a message.
MOST_MESSAGES = 10_000


class TextPart(BaseModel):
    """A text."""

    type: Literal["text"] = Field(description="Always `text`.")
    text: str = Field(description="The text.", examples=["Which files are here?"])


class RefusalPart(BaseModel):
    """An assistant's refusal."""

    type: Literal["refusal"] = Field(description="Always `refusal`.")
    refusal: str = Field(description="The text of the refusal.")


class ImageUrl(BaseModel):
    """An image's http(s) URL, data URL or path; `detail` is ignored."""

    url: str = Field(
        min_length=1,
        description="A PNG, JPEG, GIF or WebP: a data URL, a public http(s) URL, or, if CWD_ROOTS"
        " is set, a full path below it.",
        examples=["data:image/png;base64,iVBORw0KGgo="],
    )


def _as_image_url(value: object) -> object:
    """A plain text is a URL."""
    return {"url": value} if isinstance(value, str) else value


class ImagePart(BaseModel):
    """An image."""

    type: Literal["image_url"] = Field(description="Always `image_url`.")
    image_url: Annotated[
        ImageUrl, BeforeValidator(_as_image_url, json_schema_input_type=ImageUrl | str)
    ] = Field(description="The image, as an object or only its URL.")


class FileContent(BaseModel):
    """A PDF document as a data URL; its name is ignored."""

    file_data: str = Field(
        min_length=1,
        description="The document as a data URL.",
        examples=["data:application/pdf;base64,JVBERi0xLjQK"],
    )


class FilePart(BaseModel):
    """A PDF document."""

    type: Literal["file"] = Field(description="Always `file`.")
    file: FileContent = Field(description="The document.")


class OtherPart(BaseModel):
    """A part of a kind that the model cannot read; it is left out of what was answered before."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="Another type, such as `input_audio`.")


_KINDS = ("text", "refusal", "image_url", "file")


def _kind_of(part: object) -> str:
    kind = part.get("type") if isinstance(part, dict) else getattr(part, "type", None)
    return kind if kind in _KINDS else "other"


Part = TextPart | RefusalPart | ImagePart | FilePart | OtherPart
_Parts = Annotated[
    Annotated[TextPart, Tag("text")]
    | Annotated[RefusalPart, Tag("refusal")]
    | Annotated[ImagePart, Tag("image_url")]
    | Annotated[FilePart, Tag("file")]
    | Annotated[OtherPart, Tag("other")],
    Discriminator(_kind_of),
]


def as_parts(content: object, text_type: str = "text") -> object:
    """A text is a list of one part of this type; null and the empty text are an empty list."""
    if content is None:
        return []
    if isinstance(content, str):
        return [{"type": text_type, "text": content}] if content else []
    if not isinstance(content, list):
        raise PydanticCustomError("list_type", "Input should be a text or a list of parts")
    return content


class Message(BaseModel):
    """One message of the conversation."""

    model_config = ConfigDict(extra="ignore")

    role: Literal["system", "developer", "user", "assistant", "tool", "function"] = Field(
        description="Who has written it. `tool`: it is the result of a call."
    )
    content: Annotated[
        list[_Parts],
        Field(max_length=MOST_MESSAGES, fail_fast=True),
        BeforeValidator(as_parts, json_schema_input_type=str | list[_Parts] | None),
    ] = Field([], description="A text, or parts.", examples=["Which files are here?"])
    name: str | None = Field(None, description="The name of the author, or of the tool.")
    tool_call_id: str | None = Field(
        None, description="With the role `tool`: the `id` of the call whose result this is."
    )
    tool_calls: (
        Annotated[list[dict[str, Any]], Field(max_length=MOST_MESSAGES, fail_fast=True)] | None
    ) = Field(
        None,
        description="With the role `assistant`: the calls of the client's tools, as the answer had"
        " them.",
        examples=[
            [
                {
                    "id": "toolu_01",
                    "type": "function",
                    "function": {"name": "weather", "arguments": '{"city": "Oslo"}'},
                }
            ]
        ],
    )

    def neutral(self) -> messages.Message:
        """The message without OpenAI's format."""
        return messages.Message(
            self.role,
            [_neutral_part(part) for part in self.content],
            self.name,
            [_neutral_call(call) for call in self.tool_calls or []],
            self.tool_call_id,
        )


def _neutral_part(part: Part) -> messages.TextPart | messages.ImagePart:
    if isinstance(part, ImagePart):
        return messages.ImagePart(part.image_url.url)
    if isinstance(part, FilePart):
        return messages.ImagePart(part.file.file_data)
    if isinstance(part, OtherPart):
        return messages.TextPart(f"[A part of the type {shortened(part.type)} was here.]")
    return messages.TextPart(part.text if isinstance(part, TextPart) else part.refusal)


def _neutral_call(call: Mapping[str, Any]) -> messages.ToolCall:
    function = call.get("function")
    if not isinstance(function, dict):
        return messages.ToolCall(None, "", call)
    call_id = call.get("id")
    return messages.ToolCall(
        str(function.get("name")),
        str(function.get("arguments")),
        call,
        call_id if isinstance(call_id, str) else None,
    )
