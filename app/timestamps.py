"""The timestamps of records and responses: ISO 8601 in UTC with a `Z`.

Standard library alone, because the supervisor imports this.
"""

import time


def now() -> str:
    """The current time, to the millisecond."""
    moment = time.time()
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
    return f"{seconds}.{int(moment % 1 * 1000):03}Z"
