"""The process beside each job: it starts the CLI, waits for it, and leaves nothing behind.

The launcher (`app/runs/launcher/server.py`) forks it and gives it a job, and another one when that
has ended. While it has a job it depends on nobody: it outlives the launcher and the gateway.
Standard library alone, and little of it: each page that it touches after its fork is copied.
"""

import errno
import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress

from app import processes
from app.records.job import Job, JobEnd, JobRequest, Running
from app.runs import temporary
from app.runs.supervisor.feeder import Feeder
from app.runs.supervisor.watch import Started, Supervision
from app.runs.sweep import sweep
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
#: Seconds that are spent on a job's temporary files before its end is written, and after it.
_TIDY_BEFORE, _TIDY_AFTER = 0.05, 1.0


class CannotStart(Exception):
    """The CLI could not be started; the message is what the launcher's client is answered."""


def supervise(
    job: Job,
    claude: str,
    environment: Mapping[bytes, bytes],
    wakeup: int,
    report: Callable[[str], None],
) -> bool:
    """Run one job to its end; then `ended` is written, unless it was claimed before.

    `wakeup` is from `watch_signals`; the caller is a subreaper and has no other children, and
    if this returns False it must end, because processes or temporary files are left. `report` is
    called once: with `started`, `known` if another process has claimed it, or `failed` and why.
    """
    try:
        started = _start(job, claude, environment)
    except CannotStart as error:
        report(str(error))
        return True
    # First of all, because a client waits for it.
    report("started")
    try:
        with suppress(OSError):
            # Its claim names us, too; what could not be written is written later.
            job.set_running(started.running)
        ended = Supervision(started, wakeup).until_end()
        # Little is left as a rule. Whatever it is, no client waits for it.
        is_tidy = remove(started.temporary, _TIDY_BEFORE)
        _write_end(started, ended)
        is_tidy = is_tidy or remove(started.temporary, _TIDY_AFTER)
    except BaseException:
        # Nobody is left who would end them.
        sweep(lambda: processes.descendants(os.getpid()), time.sleep, 0.0)
        raise
    os.close(started.errors)
    os.close(started.output)
    # Once this process has ended, the launcher has the rest removed.
    return is_tidy and ended.left == 0


def _write_end(started: Started, ended: JobEnd) -> None:
    """Write how the job ended; on a full disk, as soon as there is room."""
    job = started.job
    while job.exists():
        try:
            job.write_end(ended, started.output)
            return
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT) and job.exists():
                raise
        # The CLI has read its input: the room that this frees is enough for a record.
        job.forget_input()
        time.sleep(0.1)


def _start(job: Job, claude: str, environment: Mapping[bytes, bytes]) -> Started:
    """Claim the job and start its CLI. Raises CannotStart."""
    try:
        errors = job.claim("supervisor")
    except FileExistsError:
        raise CannotStart("known") from None
    except OSError as error:
        raise CannotStart(f"failed cannot claim the job: {error.strerror}") from None
    request = job.request()
    if request is None:
        os.close(errors)
        raise CannotStart("failed cannot start the job: it has no record")
    try:
        return _start_cli(job, request, errors, claude, environment)
    except OSError as error:
        os.close(errors)
        message = f"cannot start {claude} in {request.cwd}: {error.strerror}"
        job.write_end(judge(job, "failed", request.session_id, error=message))
        raise CannotStart(f"failed {message}") from None


def _start_cli(
    job: Job, request: JobRequest, errors: int, claude: str, environment: Mapping[bytes, bytes]
) -> Started:
    """Start the CLI of a claimed job. Raises OSError, and then nothing of it is left."""
    with ExitStack() as held:

        def hold(descriptor: int) -> int:
            held.callback(os.close, descriptor)
            return descriptor

        output = hold(files.open_file(job.output, os.O_WRONLY | os.O_APPEND))
        source = hold(files.open_file(job.input))
        folder = temporary.make(job.path, environment)
        held.callback(remove, folder, _TIDY_AFTER)
        reader, writer = os.pipe()
        hold(writer)
        own = dict.fromkeys(temporary.VARIABLES, folder.encode())
        try:
            # posix_spawn knows no working directory, so it is ours for a moment.
            _enter(request)
            cli = _spawn(
                job,
                [claude, *(_argument(job, argument) for argument in request.arguments)],
                {**environment, **own, processes.MARK.encode(): request.id.encode()},
                (reader, output, errors),
            )
        finally:
            os.chdir("/")
            os.close(reader)
        held.pop_all()
    processes.offer_to_kernel(cli)
    running = Running(processes.this_process(), processes.child(cli), processes.boot_id())
    return Started(job, request, running, cli, errors, output, Feeder(source, writer), folder)


def _enter(request: JobRequest) -> None:
    """Enter the job's working directory. Raises OSError.

    A path that led into one of its roots when the job was asked for may lead elsewhere by now.
    """
    os.chdir(request.cwd)
    here = os.getcwd()
    if request.roots and not any(
        os.path.commonpath((here, root)) == root for root in request.roots
    ):
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


def watch_signals() -> int:
    """A descriptor that becomes readable with the number of each signal that arrives.

    Its signals are those of `handle_signals`, which is called before, once for a family.
    """
    reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    return reader


def handle_signals() -> None:
    """Have SIGTERM and SIGCHLD noticed, here and in what is forked: see `watch_signals`."""
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    # A terminal's end, or a Ctrl-C in it, is not a cancellation.
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


def _argument(job: Job, argument: str | dict[str, str]) -> str:
    if isinstance(argument, str):
        return argument
    return f"{argument['flag']}={job.path}/{argument['file']}"
