"""The launcher's address, and the process at the other end of a connection to it.

Standard library alone, because the launcher imports this.
"""

import socket
import struct

#: The launcher's socket, and the file whose lock it holds, in STATE_DIR.
SOCKET = "launcher"
LOCK = "launcher.lock"


def address(state: int) -> str:
    """The socket's address by an open folder: a path may be too long for sun_path (unix(7))."""
    return f"/proc/self/fd/{state}/{SOCKET}"


def peer_of(connection: socket.socket) -> int:
    """The pid of the process at the other end (SO_PEERCRED of unix(7))."""
    size = struct.calcsize("3i")
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    return int(struct.unpack("3i", credentials)[0])
