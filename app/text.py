"""Texts from outside, made safe to pass on: broken characters replaced, long ones shortened."""

import re
import time

#: Characters of a client's value that an error quotes.
LONGEST_QUOTE = 100

_HALVES = re.compile("[\ud800-\udfff]")
# Between two pieces of a large text others are served, also who comes over the network only now
# (see `app.server.hub_yield`).
_PIECE = 1 << 18
_MOMENT = 1e-6


def well_formed(text: str) -> str:
    r"""The text with U+FFFD for each half of a surrogate pair, which UTF-8 cannot carry.

    Python's and JavaScript's JSON readers make such halves out of `"\ud83d"`.

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
    """The beginning of a text that may be long.

    >>> shortened("abcdef", 4), shortened("abcd", 4)
    ('abcd…', 'abcd')
    """
    return text if len(text) <= longest else f"{text[:longest]}…"
