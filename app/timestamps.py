"""The timestamps of records and responses: ISO 8601 in UTC with a `Z`.

Standard library alone, because the supervisor imports this.
"""

import time


def now() -> str:
    """The current time, to the millisecond."""
    return at(time.time())


def at(moment: float) -> str:
    """A time in seconds since the epoch, to the millisecond."""
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
    return f"{seconds}.{int(moment % 1 * 1000):03}Z"
