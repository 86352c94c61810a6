"""The loop of a supervisor's process: it serves the jobs that the launcher sends.

The supervisor sends, before the end of a job, `keeps <session> <memory in bytes>` if it keeps the
run; `idle <job>` once a job has ended, `idle ` once what it kept has ended; `ready` once its spare
can be claimed. The launcher sends the ids of jobs, `SPARE` to have a spare started, and `END_KEPT`
for the end of the spare or the kept run. Standard library alone, because the supervisor runs this.
"""

import os
import socket
from collections.abc import Mapping, Sequence
from functools import partial

from app import processes
from app.cli.spare import Argument
from app.records import event_journal
from app.records.job import Job
from app.runs.answer_worker import answer_worker
from app.runs.signal_wakeup import watch_signals
from app.runs.supervisor.supervise import Supervisor

#: Jobs after which a supervisor is replaced, so that its memory does not grow for ever.
JOBS_EACH = 500
#: The first words of a supervisor's messages.
IDLE, KEEPS, READY = "idle", "keeps", "ready"
#: The launcher's messages that are no id of a job.
SPARE, END_KEPT = b"spare", b"end"


def serve_jobs(
    control: socket.socket,
    state: str,
    claude: str,
    environment: Mapping[bytes, bytes],
    own_turns: int,
    spare_arguments: Sequence[Argument],
) -> None:
    """Serve one job after the other, until the launcher closes `control` or exits.

    A spare is started with `spare_arguments`; the rest is as for `Supervisor`.
    """
    processes.become_subreaper()
    keep = partial(_send, control, KEEPS)
    supervisor = Supervisor(claude, environment, watch_signals(), keep, own_turns)
    for left in reversed(range(JOBS_EACH)):
        message, connection = _next_message(control, supervisor)
        if not message:
            break
        if message == SPARE:
            supervisor.start_spare(state, [*spare_arguments])
            if supervisor.spare is not None:
                continue
        job_id = "" if message in (SPARE, END_KEPT) else message.decode()
        if job_id:
            job = Job(state, job_id)
            supervisor.serve(job, partial(_report, job, connection))
        else:
            supervisor.end_waiting()
        if not supervisor.is_clean or not left or not _send(control, IDLE, job_id):
            break
    supervisor.end_waiting()


def _report(job: Job, connection: socket.socket | None, answer: str) -> None:
    """Answer the worker that waits for the job's start, and note the start."""
    answer_worker(connection, answer)
    if answer == "started":
        event_journal.note(job.state, "job", job.id)


def _next_message(
    control: socket.socket, supervisor: Supervisor
) -> tuple[bytes, socket.socket | None]:
    """The launcher's next message, with a worker's connection if it carries one.

    The message is empty once the launcher is gone, and `END_KEPT` once a kept run has to end.
    """
    if not supervisor.wait(control, partial(_send, control, READY)):
        return END_KEPT, None
    try:
        message, descriptors, _, _ = socket.recv_fds(control, 256, 1)
    except ConnectionResetError:
        # The launcher was killed before it read the last message.
        return b"", None
    connection = None
    for descriptor in descriptors:
        # The CLI must not inherit it: recv_fds ignores MSG_CMSG_CLOEXEC (Python 3.11).
        os.set_inheritable(descriptor, False)
        connection = socket.socket(fileno=descriptor)
    return message, connection


def _send(control: socket.socket, word: str, *rest: object) -> bool:
    """Send the launcher a message; returns whether it is there to read that."""
    try:
        control.send(" ".join((word, *map(str, rest))).encode())
    except OSError:
        return False
    return True
