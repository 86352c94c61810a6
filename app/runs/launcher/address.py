"""The address of the launcher's socket, with a check of the process at the other end.

Standard library alone, because the launcher imports this.
"""

import socket
import struct

#: The launcher's socket, and the file whose lock it holds, in STATE_DIR.
SOCKET = "launcher"
LOCK = "launcher.lock"


def address(state: int) -> str:
    """The socket's address, by the open state folder: a path may be too long for unix(7)."""
    return f"/proc/self/fd/{state}/{SOCKET}"


def peer_of(connection: socket.socket) -> int:
    """The pid of the process at the other end (SO_PEERCRED of unix(7))."""
    size = struct.calcsize("3i")
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    return int(struct.unpack("3i", credentials)[0])
