"""The body of `POST /jobs/{process_id}/messages`. Pure."""

import base64
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from app.conversation.images import media_type
from app.errors import InvalidRequest
from app.json_body import read_object, validate

#: Content blocks of one message.
MOST_BLOCKS = 100


def _usable(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("blank_text", "Must not be blank")
    if "\0" in text:
        raise PydanticCustomError("nul_character", "Text must not contain a NUL")
    return text


def _image(data: str) -> str:
    """An image that the model's API refused would make every later turn of the session fail."""
    try:
        content = base64.b64decode(data, validate=True)
    except ValueError:
        raise PydanticCustomError("no_base64", "Must be base64") from None
    if media_type(content) is None:
        raise PydanticCustomError("no_image", "Must be a PNG, JPEG, GIF or WebP in base64")
    return data


Usable = Annotated[str, AfterValidator(_usable)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class MessageText(_Part):
    """A text."""

    type: Literal["text"] = Field(description="Always `text`.")
    text: Usable = Field(description="The text; not blank.")


class MessageImageSource(_Part):
    """The content of an image."""

    type: Literal["base64"] = Field(description="Always `base64`.")
    media_type: str | None = Field(
        None, description="Has no effect: the gateway finds the type in the content."
    )
    data: Annotated[str, AfterValidator(_image)] = Field(
        description="A PNG, JPEG, GIF or WebP, in base64."
    )


class MessageImage(_Part):
    """An image."""

    type: Literal["image"] = Field(description="Always `image`.")
    source: MessageImageSource = Field(description="The image.")


Block = Annotated[MessageText | MessageImage, Field(discriminator="type")]


class MessageBody(_Part):
    """A message for the model: either `text` or `content`."""

    text: Usable | None = Field(None, description="The message; not blank.")
    content: Annotated[list[Block], Field(min_length=1, max_length=MOST_BLOCKS)] | None = Field(
        None,
        description="The message in parts, texts and images, as in Anthropic's Messages API.",
    )


def read_message(body: bytes) -> str | list[dict[str, Any]]:
    """The message in a JSON body, a text or content blocks. Raises InvalidRequest."""
    message = validate(MessageBody, read_object(body))
    if (message.text is None) == (message.content is None):
        raise InvalidRequest.of("text_or_content", ("body",), "Send either text or content")
    if message.content is None:
        return message.text or ""
    return [_render(block) for block in message.content]


def _render(block: MessageText | MessageImage) -> dict[str, Any]:
    fields = block.model_dump()
    if isinstance(block, MessageImage):
        # The API checks that the type is the content's.
        content = base64.b64decode(block.source.data[:64])
        fields["source"]["media_type"] = media_type(content)
    return fields
