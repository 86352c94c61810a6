"""Text from elsewhere, made safe for a terminal. Pure."""

import re

# Control characters except tab and newline: they move the cursor, change colours or ring the bell.
# The others change the direction of the text around them, or end a line.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text: str) -> str:
    r"""Text without characters that control a terminal or reorder what it shows.

    >>> printable("a\x1b[31mb\tc\n"), printable("\u202etxt.exe")
    ('a\ufffd[31mb\tc\n', '\ufffdtxt.exe')
    """
    return _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", text)


def one_line(text: str) -> str:
    r"""Printable text in one line, with a space in the place of each run of white space.

    >>> one_line(" a\n\n  b\x07 ")
    'a b\ufffd'
    """
    return printable(" ".join(text.split()))


def escaped(text: str) -> str:
    r"""Text in which each character can be seen: an invisible one stands as its escape.

    For what a user is asked to approve. Newlines stay.

    >>> print(escaped("rm -rf \u200b/\x1b[1A"))
    rm -rf \u200b/\u001b[1A
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each == "\n" else _escape(each) for each in text)


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
