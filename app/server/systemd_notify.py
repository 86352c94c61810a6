"""The notifications from gunicorn's master to systemd (sd_notify(3)).

They are: ready, alive (the watchdog), how many jobs there are, stopping. Only the master sends
them (NotifyAccess=main), so that no job can speak for the gateway. It reports what a worker has
checked: a worker that got a response from the gateway over the network writes a byte to a pipe,
and the master's loop reads it.
"""

import os
import socket
import time
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from typing import Any

#: Seconds between two counts of the jobs.
STATUS_EVERY = 1.0
#: Checks by each worker within systemd's watchdog timeout; one may be late.
CHECKS_PER_TIMEOUT = 4
#: Seconds until a worker repeats its first check.
RETRY_AFTER = 0.5


class SystemdNotifier:
    """Notifies systemd at the socket `address`; `watchdog` is its timeout in seconds, or None."""

    def __init__(self, address: str, watchdog: float | None) -> None:
        # An abstract address is written with an @ (unix(7)).
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._receiver, self._sender = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        #: Seconds between two checks by a worker; None: one check is enough.
        self.interval = watchdog and watchdog / CHECKS_PER_TIMEOUT
        #: The most seconds that a stop may take.
        self.stop_patience = 0.0
        self._ready = False
        self._status = ""
        self._count_at = 0.0

    @classmethod
    def from_environment(cls, environ: MutableMapping[str, str]) -> "SystemdNotifier | None":
        """Remove systemd's variables from the environment and use them; None without systemd.

        gunicorn would use them to send READY before it has a worker.
        """
        address = environ.pop("NOTIFY_SOCKET", "")
        microseconds = environ.pop("WATCHDOG_USEC", "")
        watched_pid = environ.pop("WATCHDOG_PID", "") or str(os.getpid())
        if not address:
            return None
        is_watched = microseconds.isdigit() and watched_pid == str(os.getpid())
        return cls(address, int(microseconds) / 1e6 if is_watched else None)

    def attach(self, arbiter: Any, count: Callable[[], tuple[int, int]]) -> None:
        """Send notifications from the loop of gunicorn's arbiter, which has no hook for it.

        `count` returns how many jobs run and how many are queued.
        """
        murder_workers, halt = arbiter.murder_workers, arbiter.halt

        def murder_workers_and_notify() -> None:
            murder_workers()
            self.forward(count)

        def notify_and_halt(*arguments: Any, **named: Any) -> None:
            self.send(
                "STOPPING=1",
                "STATUS=Ending streams and jobs",
                f"EXTEND_TIMEOUT_USEC={int(self.stop_patience * 1e6)}",
            )
            halt(*arguments, **named)

        arbiter.murder_workers, arbiter.halt = murder_workers_and_notify, notify_and_halt

    def report_alive(self) -> None:
        """In a worker: report that the gateway has responded."""
        # A full pipe holds reports enough.
        with suppress(BlockingIOError):
            os.write(self._sender, b".")

    def forward(self, count: Callable[[], tuple[int, int]]) -> None:
        """In the master: send systemd the workers' reports and the number of jobs."""
        is_alive = False
        with suppress(BlockingIOError):
            is_alive = bool(os.read(self._receiver, 65536))
        lines = []
        if is_alive:
            lines.append("WATCHDOG=1" if self._ready else "READY=1")
            self._ready = True
        if self._ready and time.monotonic() >= self._count_at:
            self._count_at = time.monotonic() + STATUS_EVERY
            # The folder may be gone; other places report that.
            with suppress(OSError):
                running, queued = count()
                status = f"STATUS=Jobs: {running} running, {queued} queued"
                if status != self._status:
                    self._status = status
                    lines.append(status)
        if lines:
            self.send(*lines)

    def send(self, *lines: str) -> None:
        """Send one message. If systemd is too busy to receive it, the next one will do."""
        with (
            suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender,
        ):
            sender.sendto("\n".join(lines).encode(), self._address)


def is_responding(address: tuple[Any, ...], timeout: float) -> bool:
    """Whether the gateway at this address responds within `timeout` seconds.

    The request is not for /health, which runs the CLI every minute to see whether it is logged in.
    """
    connection = HTTPConnection(address[0], address[1], timeout=timeout)
    try:
        connection.request("GET", "/")
        # An error such as host_not_allowed (ALLOWED_HOSTS) is a response, too.
        return connection.getresponse().status < 500
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
