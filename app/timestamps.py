"""Moments as records and answers have them: ISO 8601 in UTC with a `Z`. Pure but for the clock.

Standard library alone, because the supervisor imports this.
"""

import time


def now() -> str:
    """This moment, to the millisecond."""
    moment = time.time()
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
    return f"{seconds}.{int(moment % 1 * 1000):03}Z"
