"""The items in the `input` of a request for a response, and the messages that they make. Pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from app.conversation import messages
from app.conversation.errors import BadParameter
from app.openai.chat_messages import as_parts
from app.responses.tools import custom_arguments
from app.text import shortened

#: The most items of an input, and the most parts of an item.
MOST_ITEMS = 10_000
#: The items that are the results of calls, and those that are calls.
RESULTS = ("function_call_output", "custom_tool_call_output")
CALLS = ("function_call", "custom_tool_call")
#: The item that stands for one of a stored response.
REFERENCE = "item_reference"
# What the model has thought is not sent to it again.
_THOUGHTS = ("reasoning",)
_KNOWN = (*RESULTS, *CALLS, *_THOUGHTS, REFERENCE, "message")
_TEXTS = ("input_text", "output_text", "text")

#: The name by which the model calls a tool, for its name and namespace in an item.
OfferedName = Callable[[str, str | None], str]


class ContentPart(BaseModel):
    """A part of a message or of a result; what is not named here has no effect."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(
        description="`input_text`, `output_text`, `refusal`, `input_image` or `input_file`.",
        examples=["input_text"],
    )
    text: str | None = Field(None, description="The text.", examples=["What is a pipe?"])
    refusal: str | None = Field(None, description="The text of a refusal.")
    image_url: str | None = Field(
        None,
        description="A PNG, JPEG, GIF or WebP: a data URL, a public http(s) URL, or, if CWD_ROOTS"
        " is set, a full path below it.",
    )
    file_data: str | None = Field(None, description="A PDF document as a data URL.")
    file_url: str | None = Field(None, description="A PDF document by its public http(s) URL.")

    def neutral(self) -> messages.Part | None:
        """The part without OpenAI's format, or None if the model cannot read it."""
        if self.type in _TEXTS and self.text is not None:
            return messages.TextPart(self.text)
        if self.type == "refusal" and self.refusal is not None:
            return messages.TextPart(self.refusal)
        url = {"input_image": self.image_url, "input_file": self.file_data or self.file_url}
        found = url.get(self.type)
        return messages.ImagePart(found) if found else None


_Content = Annotated[
    list[ContentPart],
    Field(max_length=MOST_ITEMS, fail_fast=True),
    BeforeValidator(
        lambda content: as_parts(content, "input_text"),
        json_schema_input_type=str | list[ContentPart] | None,
    ),
]


class InputItem(BaseModel):
    """One item; which fields it has depends on its type."""

    model_config = ConfigDict(extra="allow")

    type: str | None = Field(
        None,
        description="`message` (also without a type), `function_call`, `function_call_output`,"
        " `custom_tool_call`, `custom_tool_call_output`, `reasoning` or `item_reference`. An item"
        " of another type has no effect.",
        examples=["message"],
    )
    id: str | None = Field(None, description="The id of the item.")
    role: Literal["user", "assistant", "system", "developer"] | None = Field(
        None, description="Who has written a message.", examples=["user"]
    )
    content: _Content = Field(
        [], description="The content of a message: a text, or parts.", examples=["What is a pipe?"]
    )
    call_id: str | None = Field(
        None, description="The id of a call, or of the call whose result this is."
    )
    name: str | None = Field(None, description="The name of the tool that is called.")
    namespace: str | None = Field(None, description="The namespace of the tool that is called.")
    arguments: str | None = Field(None, description="The arguments of a function, as JSON.")
    input: str | None = Field(None, description="The input of a tool of the type `custom`.")
    output: _Content = Field([], description="The result of a call: a text, or parts.")

    @property
    def kind(self) -> str:
        """The type, which a message need not have."""
        return self.type or "message"

    def check(self, place: str) -> None:
        """Raises BadParameter for a field that is missing; `place` is that of the item."""
        needed = {
            "message": ["role"],
            "function_call": ["call_id", "name", "arguments"],
            "custom_tool_call": ["call_id", "name", "input"],
            REFERENCE: ["id"],
            **{kind: ["call_id"] for kind in RESULTS},
        }
        for name in needed.get(self.kind, []):
            if getattr(self, name) is None:
                raise BadParameter(
                    f"{place}.{name}", f"An item of the type {self.kind!r} must have {name!r}"
                )

    def parts(self) -> list[ContentPart]:
        """The parts of a message or a result."""
        return self.output if self.kind in RESULTS else self.content


def check_items(items: Sequence[InputItem], name: str) -> None:
    """Raises BadParameter for an item that is not complete, or has what the model cannot read.

    `name` is the parameter with the items. What was answered before may have parts that the model
    cannot read: a text takes the place of each.
    """
    answers = [n for n, item in enumerate(items) if _is_answer(item)]
    unanswered = answers[-1] + 1 if answers else 0
    for index, item in enumerate(items):
        item.check(f"{name}[{index}]")
        if index < unanswered or item.kind not in ("message", *RESULTS):
            continue
        field = "output" if item.kind in RESULTS else "content"
        for number, part in enumerate(item.parts()):
            if part.neutral() is None:
                raise BadParameter(
                    f"{name}[{index}].{field}[{number}]",
                    f"The model cannot read this part of the type {shortened(part.type)!r}: send"
                    " input_text with text, input_image with image_url, or input_file with"
                    " file_data or file_url",
                )


def ignored_types(items: Iterable[InputItem]) -> list[str]:
    """The types of the items that have no effect."""
    return sorted({item.kind for item in items if item.kind not in _KNOWN})


def to_messages(items: Iterable[InputItem], offered: OfferedName) -> list[messages.Message]:
    """The messages that the items make.

    The texts and calls of one answer are items of their own here, and one message for the model.
    """
    found: list[messages.Message] = []
    for item in items:
        if item.kind in RESULTS:
            result = messages.Message("tool", _neutral(item), None, (), item.call_id)
            found.append(result)
        elif item.kind == "message" and item.role != "assistant":
            found.append(messages.Message(str(item.role), _neutral(item)))
        elif _is_answer(item):
            if not found or found[-1].role != "assistant":
                found.append(messages.Message("assistant", []))
            last = found[-1]
            if item.kind == "message":
                found[-1] = last._replace(parts=[*last.parts, *_neutral(item)])
            else:
                found[-1] = last._replace(tool_calls=[*last.tool_calls, _call(item, offered)])
    return found


def _is_answer(item: InputItem) -> bool:
    return item.kind in CALLS or (item.kind == "message" and item.role == "assistant")


def _neutral(item: InputItem) -> list[messages.Part]:
    return list(_neutral_parts(item.parts()))


def _neutral_parts(parts: Sequence[ContentPart]) -> Iterator[messages.Part]:
    for part in parts:
        kind = shortened(part.type)
        yield part.neutral() or messages.TextPart(f"[A part of the type {kind} was here.]")


def _call(item: InputItem, offered: OfferedName) -> messages.ToolCall:
    name = offered(str(item.name), item.namespace)
    if item.kind == "custom_tool_call":
        return messages.ToolCall(name, custom_arguments(str(item.input)), {}, item.call_id)
    return messages.ToolCall(name, str(item.arguments), {}, item.call_id)
