"""A run of the CLI that answers a question about itself, without blocking others; knows gevent."""

import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress

from gevent import monkey
from gevent.socket import wait_read

# The bare ones: gevent's wait for a SIGCHLD, and for ever if the CLI has exited before its
# handler was there (26.9.0).
_posix_spawn = monkey.get_original("os", "posix_spawn")
_waitpid = monkey.get_original("os", "waitpid")

#: Bytes of an answer that are read.
LONGEST_ANSWER = 1 << 16


class Question:
    """A child that runs a command of the CLI's; `close` must be called."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], lock: int | None = None
    ) -> None:
        """Start it. It keeps an open `lock` (flock(2)) for as long as it runs. Raises OSError."""
        self._output = os.memfd_create("answer")
        self.status: int | None = None
        actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, self._output, 1),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        ]
        if lock is not None:
            actions.append((os.POSIX_SPAWN_DUP2, lock, 3))
        try:
            # posix_spawn takes a tenth of a millisecond and needs no thread.
            self._pid = _posix_spawn(
                command[0],
                command,
                environment,
                file_actions=actions,
                setsid=True,
                setsigmask=[],
                setsigdef=[signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGXFSZ],
            )
            self._child = os.pidfd_open(self._pid)
        except OSError:
            os.close(self._output)
            raise

    def wait(self, patience: float | None) -> bool:
        """Wait for the child's exit for so many seconds; whether it has exited."""
        try:
            wait_read(self._child, timeout=patience)
        except TimeoutError:
            return False
        # libev reaps every child, once this process has spawned one through gevent.
        with suppress(ChildProcessError):
            self.status = os.waitstatus_to_exitcode(_waitpid(self._pid, 0)[1])
        return True

    def kill(self) -> None:
        """End the child with SIGKILL."""
        signal.pidfd_send_signal(self._child, signal.SIGKILL)
        self.wait(None)

    def answer(self) -> bytes:
        """What the child has printed."""
        return os.pread(self._output, LONGEST_ANSWER, 0)

    def close(self) -> None:
        """Forget it; a child that still runs goes on."""
        os.close(self._child)
        os.close(self._output)
