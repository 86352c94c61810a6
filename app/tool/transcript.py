"""What a person wants to read of the CLI's lines: the answer's text. Pure.

Shapes as seen in the CLI's versions 2.1.197 to 2.1.330.
"""

import re

from app.cli.lines import parse

# What moves the cursor, changes colours or rings the bell: all controls but tab and newline.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Transcript:
    """Turns lines into text, one after the other."""

    def __init__(self) -> None:
        self._has_spoken = False

    def read(self, line: bytes) -> str:
        r"""What this line adds to the answer, ended by a newline; empty if it adds nothing.

        What subagents say to the agent is no part of the answer. The `result` line repeats
        the last thing said, and counts only if nothing was.

        >>> said = b'{"type":"assistant","message":{"content":[{"type":"text","text":"Hi"}]}}'
        >>> Transcript().read(said)
        'Hi\n'
        >>> Transcript().read(b'{"type":"result","result":"Hi"}')
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
        elif fields.get("type") == "result" and not self._has_spoken:
            texts = [fields.get("result")]
        said = "".join(f"{text}\n" for text in texts if isinstance(text, str) and text)
        self._has_spoken = self._has_spoken or bool(said)
        return said


def printable(text: str) -> str:
    r"""Text that can do nothing to a terminal but be shown.

    >>> printable("a\x1b[31mb\tc\n")
    'a\ufffd[31mb\tc\n'
    """
    return _CONTROLS.sub("\ufffd", text)
