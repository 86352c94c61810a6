"""What fails outside of any request, in one line of the log; gevent would print a traceback."""

import logging
import time
import traceback
from types import TracebackType

log = logging.getLogger(__name__)

#: Seconds in which one kind of error is reported once.
EVERY = 10.0
# Characters of an error's own words.
_LONGEST = 200


class HubErrors:
    """Reports each kind of error, and how often it came again meanwhile."""

    def __init__(self) -> None:
        self._reported: dict[str, float] = {}
        self._missed: dict[str, int] = {}

    def tell(
        self,
        context: object,
        kind: type[BaseException] | None,
        error: BaseException | str | None,
        trace: TracebackType | None,
    ) -> None:
        """In place of the hub's `print_exception`; `context` is the callback that failed."""
        place = traceback.extract_tb(trace)[-1:]
        where = "".join(f" at {each.filename}:{each.lineno}" for each in place)
        what = f"{getattr(kind, '__name__', kind)}{where}"
        now = time.monotonic()
        if now - self._reported.get(what, -EVERY) < EVERY:
            self._missed[what] = self._missed.get(what, 0) + 1
            return
        self._reported[what] = now
        again = self._missed.pop(what, 0)
        log.error(
            "an error outside of any request: %s: %s%s",
            what,
            str(error)[:_LONGEST],
            f" (and {again} times more)" if again else "",
        )
