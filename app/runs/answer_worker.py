"""The answer to a worker's request to the launcher (`app.runs.launcher.protocol`).

The launcher sends it, or the supervisor that the launcher has given the job to. Standard library
alone, because both import this.
"""

import socket


def answer_worker(connection: socket.socket | None, message: str) -> None:
    """Answer a worker's request, if the worker is still there, and close the connection."""
    if connection is None:
        return
    try:
        connection.sendall(message.encode() + b"\n")
    except OSError:
        # The worker has died; the other workers read the job's folder.
        return
    finally:
        connection.close()
