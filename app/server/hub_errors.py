"""The log of errors outside of requests, a line each; gevent would print tracebacks."""

import logging
import time
import traceback
from types import TracebackType

log = logging.getLogger(__name__)

#: Seconds within which the same error is logged once.
EVERY = 10.0
# Characters of an error's message that are logged.
_LONGEST = 200


class HubErrors:
    """Logs each error, and how often it was repeated since."""

    def __init__(self) -> None:
        self._logged_at: dict[str, float] = {}
        self._repeated: dict[str, int] = {}

    def log_error(
        self,
        context: object,
        kind: type[BaseException] | None,
        error: BaseException | str | None,
        trace: TracebackType | None,
    ) -> None:
        """Replaces the hub's `print_exception`; `context` is the callback that failed."""
        place = traceback.extract_tb(trace)[-1:]
        where = "".join(f" at {each.filename}:{each.lineno}" for each in place)
        what = f"{getattr(kind, '__name__', kind)}{where}"
        now = time.monotonic()
        if now - self._logged_at.get(what, -EVERY) < EVERY:
            self._repeated[what] = self._repeated.get(what, 0) + 1
            return
        self._logged_at[what] = now
        repeats = self._repeated.pop(what, 0)
        log.error(
            "an error outside of any request: %s: %s%s",
            what,
            str(error)[:_LONGEST],
            f" (repeated {repeats} times)" if repeats else "",
        )
