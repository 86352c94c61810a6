"""Texts of others, made safe to pass on: what is no character, and what is too long."""

#: Characters of a client's value that an error quotes.
LONGEST_QUOTE = 100


def well_formed(text: str) -> str:
    r"""The text with U+FFFD for each half of a surrogate pair, which UTF-8 cannot carry.

    Python's and JavaScript's JSON readers make such halves out of `"\ud83d"`.

    >>> ascii(well_formed("a\ud83d")), ascii(well_formed("\ud83d\ude00"))
    ("'a\\ufffd'", "'\\U0001f600'")
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def shortened(text: str, longest: int = LONGEST_QUOTE) -> str:
    """The beginning of a text that may be long.

    >>> shortened("abcdef", 4), shortened("abcd", 4)
    ('abcd…', 'abcd')
    """
    return text if len(text) <= longest else f"{text[:longest]}…"
