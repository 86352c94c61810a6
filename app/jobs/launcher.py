"""The launcher: one small server, everything imported, that forks a supervisor per job.

A Python of its own for each job would cost 20 ms and 10 MB; a fork costs a third of a
millisecond and shares the memory. Workers of the gateway never fork, so nothing of theirs
(descriptors, signal masks, environment, memory) reaches a job. The launcher's environment
is the jobs' environment.

One request a connection, on the Unix socket `STATE_DIR/launcher`:

    start <id> <generation>   →  started | failed <why> (both said by the supervisor)
                                 stale (said by a launcher of another generation, which exits)

A connection that closes without an answer says that launcher or supervisor died.
"""

import fcntl
import gc
import os
import select
import signal
import socket
import sys
from pathlib import Path

from app.jobs import processes
from app.jobs.processes import Process
from app.jobs.spool import JobDirectory
from app.jobs.supervisor import supervise

SOCKET = "launcher"
LOCK = "launcher.lock"
#: Seconds that a connected worker has for its one line.
_PATIENCE = 5.0


def main(arguments: list[str]) -> None:
    """Serve until the owner ends, or until a worker of another generation asks.

    Arguments: state folder, the CLI's path, generation, and the pid and start time of the
    owner, the gateway's master process. Returns at once if another launcher serves already.
    """
    state, claude, generation = Path(arguments[0]), arguments[1], arguments[2]
    owner = processes.open_process(Process(int(arguments[3]), int(arguments[4])))
    # A record lock (fcntl(2)) belongs to this process alone: no supervisor inherits it.
    lock = os.open(state / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return
    if owner is None:
        return
    # Supervisors are nobody's to wait for.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener = listen(state)
    # What exists now is shared with every supervisor; the collector must not touch it.
    gc.collect()
    gc.freeze()
    gc.disable()
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    poll.register(owner, select.POLLIN)
    while True:
        ready = [descriptor for descriptor, _ in poll.poll()]
        if owner in ready:
            return
        connection, _ = listener.accept()
        with connection:
            if not _serve(connection, listener, state, claude, generation):
                listener.close()
                os.close(lock)
                _answer(connection, "stale")
                return


def listen(state: Path) -> socket.socket:
    """The listening socket, in place of one that a dead launcher left."""
    listener = socket.socket(socket.AF_UNIX)
    directory = os.open(state, os.O_RDONLY | os.O_DIRECTORY)
    (state / SOCKET).unlink(missing_ok=True)
    listener.bind(address(directory))
    os.close(directory)
    listener.listen(1024)
    return listener


def address(directory: int) -> str:
    """The socket's address by an open folder: a path may be too long for sun_path (unix(7))."""
    return f"/proc/self/fd/{directory}/{SOCKET}"


def _serve(
    connection: socket.socket,
    listener: socket.socket,
    state: Path,
    claude: str,
    generation: str,
) -> bool:
    """Answer one request; False if this launcher is to make room for another."""
    connection.settimeout(_PATIENCE)
    try:
        words = connection.recv(1024).decode().split()
    except (OSError, UnicodeDecodeError):
        return True
    if len(words) != 3 or words[0] != "start":
        return True
    if words[2] != generation:
        return False
    if os.fork() == 0:
        listener.close()
        _supervise(connection, state, words[1], claude)
    return True


def _supervise(connection: socket.socket, state: Path, job_id: str, claude: str) -> None:
    """In the child: never returns."""
    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        supervise(
            JobDirectory(state, job_id),
            claude,
            os.environ,
            lambda message: _answer(connection, message),
        )
        code = 0
    except BaseException:
        # Leave without unwinding the launcher's frames, which belong to the parent.
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


def _answer(connection: socket.socket, message: str) -> None:
    try:
        connection.sendall(message.encode() + b"\n")
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        # The worker that asked has gone; what is on disk tells the others.
        return
    finally:
        connection.close()
