"""The start of a run's CLI, after the job was claimed.

Standard library alone, because the supervisor imports this.
"""

import errno
import os
import signal
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import NamedTuple

from app import processes
from app.records.job import Job
from app.records.job_records import Claim, JobRequest
from app.records.run import RunExit, Running, RunStart
from app.runs import temporary_folder
from app.runs.supervisor.stdin_writer import StdinWriter
from app.runs.verdict import judge
from app.state import files
from app.state.remove_tree import remove

# Signals that Python or the gateway ignores or handles: the CLI gets their defaults.
_RESET = (
    signal.SIGPIPE,
    signal.SIGXFSZ,
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGCHLD,
)
#: Errors of a start while an update replaces the CLI's binary.
_BEING_REPLACED = (errno.ENOENT, errno.ETXTBSY, errno.EACCES, errno.ENOEXEC)
#: Seconds for which such a start is retried.
UPDATE_PATIENCE = 5.0
# Seconds between two attempts.
_RETRY_AFTER = 0.05
# Seconds for the removal of the temporary files of a run that could not be started.
_CLEANUP_PATIENCE = 1.0


class CannotStart(Exception):
    """The CLI could not be started; the message is the answer to the launcher's client."""


class StartedRun(NamedTuple):
    """A run whose CLI was started, with its job.

    `cli` is the CLI's pid, `stderr` and `output` are open files, `temporary_folder` is a path.
    """

    job: Job
    request: JobRequest
    claim: Claim
    kill_grace: float
    running: Running
    cli: int
    stderr: int
    output: int
    stdin: StdinWriter
    temporary_folder: str


def start(job: Job, claude: str, environment: Mapping[bytes, bytes]) -> StartedRun:
    """Claim the job and start the CLI of its run. Raises CannotStart."""
    try:
        claim = job.claim("supervisor")
    except FileExistsError:
        raise CannotStart("known") from None
    except OSError as error:
        raise CannotStart(f"failed cannot claim the job: {error.strerror}") from None
    request, run_start = job.request(), job.run.start()
    if request is None or run_start is None:
        raise CannotStart("failed cannot start the job: it has no record")
    try:
        return _start_cli(job, request, claim, run_start, claude, environment)
    except OSError as error:
        message = f"cannot start {claude} in {run_start.cwd}: {error.strerror}"
        job.write_end(judge(job, RunExit(), "failed", error=message))
        raise CannotStart(f"failed {message}") from None


def _start_cli(
    job: Job,
    request: JobRequest,
    claim: Claim,
    run_start: RunStart,
    claude: str,
    environment: Mapping[bytes, bytes],
) -> StartedRun:
    """Start the CLI of a claimed job. Raises OSError, and then no file is left open."""
    run = job.run
    with ExitStack() as stack:

        def close_on_error(descriptor: int) -> int:
            stack.callback(os.close, descriptor)
            return descriptor

        stderr = close_on_error(run.open_stderr())
        output = close_on_error(files.open_file(run.output, os.O_WRONLY | os.O_APPEND))
        source = close_on_error(files.open_file(job.message))
        folder = temporary_folder.make(run.path, environment)
        stack.callback(remove, folder, _CLEANUP_PATIENCE)
        reader, writer = os.pipe()
        close_on_error(writer)
        variables = dict.fromkeys(temporary_folder.VARIABLES, folder.encode())
        try:
            # posix_spawn cannot set a working directory, so this process enters it.
            _enter(run_start)
            cli = _spawn(
                job,
                [claude, *(_argument(run.path, argument) for argument in run_start.arguments)],
                {**environment, **variables, processes.MARK.encode(): run.id.encode()},
                (reader, output, stderr),
            )
        finally:
            os.chdir("/")
            os.close(reader)
        stack.pop_all()
    processes.offer_to_kernel(cli)
    running = Running(claim.process, processes.child(cli), processes.boot_id())
    stdin = StdinWriter(source, writer)
    return StartedRun(
        job, request, claim, run_start.kill_grace, running, cli, stderr, output, stdin, folder
    )


def _enter(run_start: RunStart) -> None:
    """Enter the run's working directory. Raises OSError.

    Its path is checked again: since the request, it may have become a link out of the roots.
    """
    os.chdir(run_start.cwd)
    cwd, roots = os.getcwd(), run_start.roots
    if roots and not any(os.path.commonpath((cwd, root)) == root for root in roots):
        raise PermissionError(errno.EACCES, "it is outside of CWD_ROOTS now")


def _spawn(
    job: Job,
    command: list[str],
    environment: Mapping[bytes, bytes],
    streams: tuple[int, int, int],
) -> int:
    """Start the CLI with these standard streams; returns its pid. Raises OSError.

    Waits for a binary that an update is replacing.
    """
    deadline = time.monotonic() + UPDATE_PATIENCE
    while True:
        try:
            return os.posix_spawn(
                command[0],
                command,
                environment,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, stream, number) for number, stream in enumerate(streams)
                ],
                setsid=True,
                setsigmask=[],
                setsigdef=_RESET,
            )
        except OSError as error:
            is_final = time.monotonic() > deadline or job.is_to_be_cancelled()
            if is_final or error.errno not in _BEING_REPLACED:
                raise
        time.sleep(_RETRY_AFTER)


def _argument(folder: str, argument: str | dict[str, str]) -> str:
    if isinstance(argument, str):
        return argument
    return f"{argument['flag']}={folder}/{argument['file']}"
