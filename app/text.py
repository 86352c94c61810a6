"""Texts from outside, made safe to pass on: broken characters replaced, or shortened."""

import re
import time

#: Characters that an error quotes of a client's value.
LONGEST_QUOTE = 100

_HALVES = re.compile("[\ud800-\udfff]")
# Between two pieces of a large text other requests are served, new ones included (see
# `app.server.hub_yield`).
_PIECE = 1 << 18
_MOMENT = 1e-6


def well_formed(text: str) -> str:
    r"""The text with U+FFFD for each lone surrogate, which UTF-8 cannot encode.

    The JSON parsers of Python and JavaScript read `"\ud83d"` as one.

    >>> ascii(well_formed("a\ud83d"))
    "'a\\ufffd'"
    """
    if text.isascii() or not _HALVES.search(text):
        return text
    pieces = []
    for start in range(0, len(text), _PIECE):
        pieces.append(_HALVES.sub("\ufffd", text[start : start + _PIECE]))
        time.sleep(_MOMENT)
    return "".join(pieces)


def shortened(text: str, longest: int = LONGEST_QUOTE) -> str:
    """The first `longest` characters of the text, with an ellipsis if there are more.

    >>> shortened("abcdef", 4), shortened("abcd", 4)
    ('abcd…', 'abcd')
    """
    return text if len(text) <= longest else f"{text[:longest]}…"
