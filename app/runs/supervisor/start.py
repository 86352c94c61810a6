"""The start of a run: its job is claimed, and the CLI started with the streams of the run's folder.

Standard library alone: the supervisor imports this.
"""

import errno
import os
import signal
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import NamedTuple

from app import processes
from app.records.job import Claim, Job, JobRequest
from app.records.run import RunExit, Running, RunStart
from app.runs import temporary
from app.runs.supervisor.feeder import Feeder
from app.runs.verdict import judge
from app.state import files
from app.state.remove_tree import remove

# What Python or the gateway ignores or handles must not reach the CLI.
_RESET = (
    signal.SIGPIPE,
    signal.SIGXFSZ,
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGCHLD,
)
#: What an update of the CLI makes of its binary for a moment: it is not there, or not whole.
_BEING_REPLACED = (errno.ENOENT, errno.ETXTBSY, errno.EACCES, errno.ENOEXEC)
#: Seconds for which a start is tried again then, and between two tries.
UPDATE_PATIENCE = 5.0
_TRY_AGAIN = 0.05
# Seconds that are spent on the temporary files of a run that could not be started.
_TIDY_PATIENCE = 1.0


class CannotStart(Exception):
    """The CLI could not be started; the message is what the launcher's client is answered."""


class StartedRun(NamedTuple):
    """A run whose CLI was started, and its job.

    `cli` is the CLI's pid, `stderr` and `output` are open files, `temporary` is the path of the
    folder for temporary files.
    """

    job: Job
    request: JobRequest
    claim: Claim
    kill_grace: float
    running: Running
    cli: int
    stderr: int
    output: int
    feeder: Feeder
    temporary: str


def start(job: Job, claude: str, environment: Mapping[bytes, bytes]) -> StartedRun:
    """Claim the job and start the CLI of its run. Raises CannotStart."""
    try:
        claim = job.claim("supervisor")
    except FileExistsError:
        raise CannotStart("known") from None
    except OSError as error:
        raise CannotStart(f"failed cannot claim the job: {error.strerror}") from None
    request, first = job.request(), job.run.start()
    if request is None or first is None:
        raise CannotStart("failed cannot start the job: it has no record")
    try:
        return _start_cli(job, request, claim, first, claude, environment)
    except OSError as error:
        message = f"cannot start {claude} in {first.cwd}: {error.strerror}"
        job.write_end(judge(job, RunExit(), "failed", error=message))
        raise CannotStart(f"failed {message}") from None


def _start_cli(
    job: Job,
    request: JobRequest,
    claim: Claim,
    first: RunStart,
    claude: str,
    environment: Mapping[bytes, bytes],
) -> StartedRun:
    """Start the CLI of a claimed job. Raises OSError, and then nothing of it is left."""
    run = job.run
    with ExitStack() as held:

        def hold(descriptor: int) -> int:
            held.callback(os.close, descriptor)
            return descriptor

        stderr = hold(run.open_stderr())
        output = hold(files.open_file(run.output, os.O_WRONLY | os.O_APPEND))
        source = hold(files.open_file(job.message))
        folder = temporary.make(run.path, environment)
        held.callback(remove, folder, _TIDY_PATIENCE)
        reader, writer = os.pipe()
        hold(writer)
        own = dict.fromkeys(temporary.VARIABLES, folder.encode())
        try:
            # posix_spawn knows no working directory, so it is ours for a moment.
            _enter(first)
            cli = _spawn(
                job,
                [claude, *(_argument(run.path, argument) for argument in first.arguments)],
                {**environment, **own, processes.MARK.encode(): run.id.encode()},
                (reader, output, stderr),
            )
        finally:
            os.chdir("/")
            os.close(reader)
        held.pop_all()
    processes.offer_to_kernel(cli)
    running = Running(claim.process, processes.child(cli), processes.boot_id())
    feeder = Feeder(source, writer)
    return StartedRun(
        job, request, claim, first.kill_grace, running, cli, stderr, output, feeder, folder
    )


def _enter(first: RunStart) -> None:
    """Enter the run's working directory. Raises OSError.

    A path that led into one of its roots when the job was asked for may lead elsewhere by now.
    """
    os.chdir(first.cwd)
    here, roots = os.getcwd(), first.roots
    if roots and not any(os.path.commonpath((here, root)) == root for root in roots):
        raise PermissionError(errno.EACCES, "it is outside of CWD_ROOTS now")


def _spawn(
    job: Job,
    command: list[str],
    environment: Mapping[bytes, bytes],
    streams: tuple[int, int, int],
) -> int:
    """Start the CLI with these standard streams; returns its pid. Raises OSError.

    A binary that an update replaces just now is waited for.
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
            is_over = time.monotonic() > deadline or job.is_to_be_cancelled()
            if is_over or error.errno not in _BEING_REPLACED:
                raise
        time.sleep(_TRY_AGAIN)


def _argument(folder: str, argument: str | dict[str, str]) -> str:
    if isinstance(argument, str):
        return argument
    return f"{argument['flag']}={folder}/{argument['file']}"
