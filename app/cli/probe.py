"""A run of the CLI that answers a question about itself.

Ordinary blocking Python, which gevent turns into waiting for others.
"""

import os
import posix
import select
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress

#: Bytes of what the child prints that are read by default.
LONGEST_ANSWER = 1 << 16
#: Bytes of the longest standard input: what a pipe takes without a reader (pipe(7)).
LONGEST_INPUT = 4096


class Probe:
    """A child that runs a command of the CLI; `close` must be called."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        lock: int | None = None,
        stdin: bytes = b"",
        *,
        keeps_stdin: bool = False,
    ) -> None:
        """Start it, with a short standard input, which stays open with `keeps_stdin`.

        It keeps an open `lock` (flock(2)) for as long as it runs. Raises OSError.
        """
        if len(stdin) > LONGEST_INPUT:
            raise ValueError("the input is too long for a pipe that is not read yet")
        self._stdout = os.memfd_create("stdout")
        self._stderr = os.memfd_create("stderr")
        self.status: int | None = None
        # From a regular file, the CLI reads no messages (2.1.197).
        source, self._sink = os.pipe()
        actions: list[tuple[int, ...]] = [
            (os.POSIX_SPAWN_DUP2, source, 0),
            (os.POSIX_SPAWN_DUP2, self._stdout, 1),
            (os.POSIX_SPAWN_DUP2, self._stderr, 2),
        ]
        if lock is not None:
            actions.append((os.POSIX_SPAWN_DUP2, lock, 3))
        try:
            os.write(self._sink, stdin)
            # It takes a tenth of a millisecond and needs no thread. Not that of `os`: gevent's
            # waits for a SIGCHLD, for ever if the CLI exits before its handler is there (26.9.0).
            self._pid = posix.posix_spawn(
                command[0],
                list(command),
                environment,
                file_actions=actions,
                setsid=True,
                setsigmask=[],
                setsigdef=[signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGXFSZ],
            )
            self._child = os.pidfd_open(self._pid)
        except OSError:
            os.close(self._stdout)
            os.close(self._stderr)
            self.end_stdin()
            raise
        finally:
            # Not those of `os`: gevent's close a pipe later, and the child waits for its end.
            posix.close(source)
        if not keeps_stdin:
            self.end_stdin()

    def end_stdin(self) -> None:
        """End the child's standard input, once."""
        if self._sink >= 0:
            posix.close(self._sink)
        self._sink = -1

    def wait(self, patience: float | None) -> bool:
        """Wait up to `patience` seconds for the child's exit; whether it has exited."""
        poll = select.poll()
        poll.register(self._child, select.POLLIN)
        if not poll.poll(None if patience is None else patience * 1000):
            return False
        # libev reaps every child, once this process has spawned one through gevent.
        with suppress(ChildProcessError):
            self.status = os.waitstatus_to_exitcode(posix.waitpid(self._pid, 0)[1])
        return True

    def kill(self) -> None:
        """End the child with SIGKILL, if it still runs."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._child, signal.SIGKILL)
        self.wait(None)

    def stdout(self, limit: int = LONGEST_ANSWER) -> bytes:
        """What the child has printed on its standard output so far, up to a limit in bytes."""
        return os.pread(self._stdout, limit, 0)

    def stderr(self) -> bytes:
        """What the child has printed on its standard error so far."""
        return os.pread(self._stderr, LONGEST_ANSWER, 0)

    def close(self) -> None:
        """Release its descriptors; a child that still runs goes on."""
        self.end_stdin()
        for descriptor in (self._child, self._stdout, self._stderr):
            os.close(descriptor)
