"""The text of an answer, taken from the CLI's lines. Pure.

Lines are as in the CLI's versions 2.1.197 to 2.1.332.
"""

from collections.abc import Mapping
from typing import Any

from app.cli.lines import as_object, parse

# Most lines have none of these, and need no parsing. A piece of an answer has the second.
_NEEDLES = (b'"assistant"', b'"stream_event"', b'"result"')


class AnswerText:
    """Turns the lines of one job into text, one after the other.

    With the request's `include_partial_messages`, the pieces of an answer come before the whole;
    the text is the same with and without them.
    """

    def __init__(self) -> None:
        self._has_text = False
        self._message_id: object = None
        # The pieces of a block of text that has not come as a whole yet.
        self._pieces: list[str] = []

    def read(self, line: bytes) -> str:
        r"""The text that this line adds to the answer; a newline ends each block of text.

        Messages of subagents are not part of the answer. The `result` line repeats the last
        message, and counts only if there was none.

        >>> line = b'{"type":"assistant","message":{"content":[{"type":"text","text":"Hi"}]}}'
        >>> AnswerText().read(line)
        'Hi\n'
        >>> AnswerText().read(b'{"type":"result","result":"Hi"}')
        'Hi\n'
        """
        fields = parse(line) if any(needle in line for needle in _NEEDLES) else {}
        kind = fields.get("type")
        text = ""
        if kind == "result":
            text = self.finish()
            result = fields.get("result")
            if not self._has_text and isinstance(result, str) and result:
                text += f"{result}\n"
        elif not fields.get("parent_tool_use_id"):
            if kind == "stream_event":
                text = self._piece(as_object(fields.get("event")))
            elif kind == "assistant":
                text = self._whole(as_object(fields.get("message")))
        self._has_text = self._has_text or bool(text)
        return text

    def finish(self) -> str:
        """The newline that ends a block of which no more comes; else an empty text."""
        ended, self._pieces = bool(self._pieces), []
        return "\n" if ended else ""

    def _piece(self, event: Mapping[str, Any]) -> str:
        if event.get("type") == "message_start":
            self._message_id = as_object(event.get("message")).get("id")
        if event.get("type") in ("message_start", "content_block_start"):
            return self.finish()
        delta = as_object(event.get("delta"))
        text = delta.get("text") if delta.get("type") == "text_delta" else None
        if not isinstance(text, str) or not text:
            return ""
        self._pieces.append(text)
        return text

    def _whole(self, message: Mapping[str, Any]) -> str:
        """What has not come in pieces of a message's blocks of text."""
        content = message.get("content")
        texts = [
            block["text"]
            for block in map(as_object, content if isinstance(content, list) else [])
            if block.get("type") == "text" and isinstance(block.get("text"), str) and block["text"]
        ]
        if not texts:
            return ""
        text, known = "\n".join(texts), "".join(self._pieces)
        end = self.finish()
        if text.startswith(known):
            return f"{text[len(known) :]}\n"
        # The model was asked anew after its stream broke, unless this is the message that came.
        is_known = self._message_id is not None and message.get("id") == self._message_id
        return end if is_known else f"{end}{text}\n"
