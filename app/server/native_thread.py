"""Native threads for calls that would hold up the hub, such as a database's; knows gevent."""

from collections.abc import Callable
from typing import TypeVar, cast

from gevent import Timeout
from gevent.threadpool import ThreadPool

Result = TypeVar("Result")

# Calls that run at the same time in one process.
_MOST = 2


class NativeThreads:
    """Runs calls in native threads while other greenlets go on.

    Such a call uses nothing that gevent has patched: no lock, no log, no sleep.
    """

    def __init__(self) -> None:
        # Made when it is needed: a thread does not survive the fork of a worker.
        self._pool: ThreadPool | None = None

    def call(self, function: Callable[[], Result], seconds: float) -> Result:
        """Return what the function returns, or raise what it raises.

        Raises TimeoutError after `seconds`; the call may go on then, in a thread that is not used
        again.
        """
        if self._pool is None:
            self._pool = ThreadPool(_MOST)
        pool = self._pool

        def work() -> Result | Exception:
            try:
                return function()
            except Exception as error:
                # gevent would print it, besides.
                return error

        try:
            result = pool.spawn(work).get(timeout=seconds)
        except Timeout:
            self._pool = None
            raise TimeoutError(f"no result within {seconds:g} s") from None
        if isinstance(result, Exception):
            raise result
        return cast(Result, result)
