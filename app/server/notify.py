"""What gunicorn's master tells systemd: ready, well, how busy, stopping (sd_notify(3)).

The master alone speaks (NotifyAccess=main), so that no job can speak for the gateway. It says
only what a worker has proved: a worker that got an answer from the gateway over the network
puts a byte into a pipe, and the master's own loop takes it out.
"""

import os
import socket
import time
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from typing import Any

#: Seconds between two looks at how many jobs there are.
STATUS_EVERY = 1.0
#: Proofs asked of each worker within the time that systemd allows; one may come late.
PROOFS_EACH = 4
#: Seconds after which a worker that got no answer asks again, until the first one comes.
ASK_AGAIN = 0.5


class Notifier:
    """Speaks to systemd at `address`; `watchdog` is how long it may hear nothing, or None.

    Times are in seconds.
    """

    def __init__(self, address: str, watchdog: float | None) -> None:
        # An abstract address is written with an @ (unix(7)).
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._taken, self._put = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        #: How often a worker shall prove that the gateway answers; None: once is enough.
        self.interval = watchdog and watchdog / PROOFS_EACH
        #: What a stop may take at most.
        self.stop_patience = 0.0
        self._ready = False
        self._status = ""
        self._look_at = 0.0

    @classmethod
    def take(cls, environ: MutableMapping[str, str]) -> "Notifier | None":
        """Take the socket's name out of the environment; None if there is no systemd.

        gunicorn would use it to say that it is ready before it has a worker.
        """
        address = environ.pop("NOTIFY_SOCKET", "")
        microseconds = environ.pop("WATCHDOG_USEC", "")
        meant_for = environ.pop("WATCHDOG_PID", "") or str(os.getpid())
        if not address:
            return None
        watched = microseconds.isdigit() and meant_for == str(os.getpid())
        return cls(address, int(microseconds) / 1e6 if watched else None)

    def attach(self, arbiter: Any, count: Callable[[], tuple[int, int]]) -> None:
        """Speak from the loop of gunicorn's arbiter, which has no hook of its own for that.

        `count` tells how many jobs run and how many wait.
        """
        murder_workers, halt = arbiter.murder_workers, arbiter.halt

        def look() -> None:
            murder_workers()
            self.look(count)

        def stop(*arguments: Any, **named: Any) -> None:
            self.say(
                "STOPPING=1",
                "STATUS=Ending streams and jobs",
                f"EXTEND_TIMEOUT_USEC={int(self.stop_patience * 1e6)}",
            )
            halt(*arguments, **named)

        arbiter.murder_workers, arbiter.halt = look, stop

    def vouch(self) -> None:
        """In a worker: an answer has come."""
        # A full pipe holds proofs enough.
        with suppress(BlockingIOError):
            os.write(self._put, b".")

    def look(self, count: Callable[[], tuple[int, int]]) -> None:
        """In the master: pass on what workers have proved, and how many jobs there are."""
        proved = False
        with suppress(BlockingIOError):
            proved = bool(os.read(self._taken, 65536))
        said = []
        if proved:
            said.append("WATCHDOG=1" if self._ready else "READY=1")
            self._ready = True
        if self._ready and time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + STATUS_EVERY
            # The folder may be gone; that is told where it matters.
            with suppress(OSError):
                running, waiting = count()
                status = f"STATUS=Jobs: {running} running, {waiting} queued"
                if status != self._status:
                    self._status = status
                    said.append(status)
        if said:
            self.say(*said)

    def say(self, *lines: str) -> None:
        """Send one message; a systemd that is too busy to take it will see the next."""
        with (
            suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as spoken,
        ):
            spoken.sendto("\n".join(lines).encode(), self._address)


def answers(address: tuple[Any, ...], patience: float) -> bool:
    """Whether the gateway at this address answers a client within so many seconds.

    Not asked for /health: that would run the CLI every minute to see whether it is logged in.
    """
    connection = HTTPConnection(address[0], address[1], timeout=patience)
    try:
        connection.request("GET", "/")
        # Also a refusal, say of a host name that is not in ALLOWED_HOSTS, is an answer.
        return connection.getresponse().status < 500
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
