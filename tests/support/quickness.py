"""How quickly a gateway answers under load."""

import socket
import time

from tests.support.gateway import Gateway, eventually

#: Seconds within which nearly every /health is answered during a flood.
QUICK = 0.1
#: How often it is asked, and of these how many may take longer, on a machine with other work.
ASKED, LATE = 60, 3


def delays(gateway: Gateway, count: int) -> list[float]:
    """How long each of so many requests for /health took, each on a new connection."""
    taken = []
    for _ in range(count):
        begun = time.monotonic()
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as connection:
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 200 OK")
        taken.append(time.monotonic() - begun)
    return sorted(taken)


def is_quick(gateway: Gateway, bound: float = QUICK) -> None:
    """/health is answered quickly; other work on this machine is allowed for, not a freeze."""
    seen: list[float] = []

    def quick() -> bool:
        seen[:] = delays(gateway, ASKED)
        return seen[-1 - LATE] < bound

    eventually(quick, lambda: f"{[round(each, 3) for each in seen]}")
