"""A text that a command takes, from its arguments or from standard input."""

import sys

from app.tool.failure import MISUSED, Failure


def text_of(words: list[str]) -> str:
    """A text from the command line, or from standard input; empty if neither has one."""
    if words and words != ["-"]:
        return " ".join(words)
    if not words and sys.stdin.isatty():
        return ""
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError:
        raise Failure("cannot use standard input: it is not UTF-8", MISUSED) from None
