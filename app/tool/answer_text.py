"""The text of an answer, taken from the CLI's lines. Pure.

Lines are as in the CLI's versions 2.1.197 to 2.1.330.
"""

from app.cli.lines import parse


class AnswerText:
    """Turns the lines of one job into text, one after the other."""

    def __init__(self) -> None:
        self._has_text = False

    def read(self, line: bytes) -> str:
        r"""The text that this line adds to the answer, ending with a newline; or an empty text.

        Messages of subagents are not part of the answer. The `result` line repeats the last
        message, and counts only if there was none.

        >>> line = b'{"type":"assistant","message":{"content":[{"type":"text","text":"Hi"}]}}'
        >>> AnswerText().read(line)
        'Hi\n'
        >>> AnswerText().read(b'{"type":"result","result":"Hi"}')
        'Hi\n'
        """
        # Most lines are neither, and need no parsing.
        if b'"assistant"' not in line and b'"result"' not in line:
            return ""
        fields = parse(line)
        texts: list[object] = []
        if fields.get("type") == "assistant" and not fields.get("parent_tool_use_id"):
            message = fields.get("message")
            content = message.get("content") if isinstance(message, dict) else None
            texts = [
                block.get("text")
                for block in (content if isinstance(content, list) else [])
                if isinstance(block, dict) and block.get("type") == "text"
            ]
        elif fields.get("type") == "result" and not self._has_text:
            texts = [fields.get("result")]
        text = "".join(f"{text}\n" for text in texts if isinstance(text, str) and text)
        self._has_text = self._has_text or bool(text)
        return text
