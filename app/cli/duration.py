"""A duration in a request: a number of seconds, or a text like `90s`, `5m` or `1h`. Pure."""

import re

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}
_DURATION = re.compile(r"(-?[0-9]{1,20}(?:\.[0-9]{1,20})?)([smh]?)")


def read_duration(text: str) -> float:
    """The seconds of a duration. Raises ValueError, with what would be valid.

    >>> read_duration("90"), read_duration("1.5m"), read_duration("-1")
    (90.0, 90.0, -1.0)
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError("Must be a number of seconds, or a text like 90s, 5m or 1h")
    return float(match[1]) * _SECONDS[match[2]]
