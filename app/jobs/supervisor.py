"""The process beside each job: it starts the CLI, waits for it, and leaves nothing behind.

The launcher (`app/jobs/launcher.py`) forks it and gives it a job, and another one when that
has ended. While it has a job it depends on nobody: it outlives the launcher and the gateway.
Standard library alone, and little of it: each page that it touches after its fork is copied.
"""

import errno
import os
import signal
import time
from collections.abc import Callable, Mapping

from app.jobs import processes, temporary
from app.jobs.directory import Ended, JobDirectory, Running
from app.jobs.ending import judge
from app.jobs.feeder import Feeder
from app.jobs.supervision import Started, Supervision
from app.jobs.sweep import sweep

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
    directory: JobDirectory,
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
        started = _start(directory, claude, environment)
    except CannotStart as error:
        report(str(error))
        return True
    # First of all, because a client waits for it.
    report("started")
    try:
        directory.set_running(
            Running(processes.this_process(), processes.child(started.cli), processes.boot_id())
        )
        ended = Supervision(started, wakeup).until_end()
        # Little is left as a rule. Whatever it is, no client waits for it.
        is_tidy = temporary.remove(started.temporary, _TIDY_BEFORE)
        _write_end(directory, ended)
        is_tidy = is_tidy or temporary.remove(started.temporary, _TIDY_AFTER)
    except BaseException:
        # Nobody is left who would end them.
        sweep(lambda: processes.descendants(os.getpid()), time.sleep, 0.0)
        raise
    os.close(started.errors)
    # Once this process has ended, the launcher has the rest removed.
    return is_tidy and ended.left == 0


def _write_end(directory: JobDirectory, ended: Ended) -> None:
    """Write how the job ended; on a full disk, as soon as there is room."""
    while True:
        try:
            directory.end(ended)
            return
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
        time.sleep(1)


def _start(directory: JobDirectory, claude: str, environment: Mapping[bytes, bytes]) -> Started:
    """Claim the job and start its CLI. Raises CannotStart."""
    try:
        errors = directory.claim()
    except FileExistsError:
        raise CannotStart("known") from None
    except OSError as error:
        raise CannotStart(f"failed cannot claim the job: {error.strerror}") from None
    job = directory.job()
    if job is None:
        os.close(errors)
        raise CannotStart("failed cannot start the job: it has no record")
    output = os.open(directory.output, os.O_WRONLY | os.O_APPEND)
    reader, writer = os.pipe()
    folder = ""
    try:
        folder = temporary.make(directory.path, environment)
        # posix_spawn knows no working directory, so it is ours for a moment.
        os.chdir(job.cwd)
        own = dict.fromkeys(temporary.VARIABLES, folder.encode())
        cli = _spawn(
            directory,
            [claude, *(_argument(directory, argument) for argument in job.arguments)],
            {**environment, **own, processes.MARK.encode(): job.id.encode()},
            (reader, output, errors),
        )
    except OSError as error:
        os.close(errors)
        os.close(writer)
        temporary.remove(folder, _TIDY_AFTER)
        message = f"cannot start {claude} in {job.cwd}: {error.strerror}"
        directory.end(judge(directory, "failed", job.session_id, error=message))
        raise CannotStart(f"failed {message}") from None
    finally:
        os.chdir("/")
        os.close(reader)
        os.close(output)
    feeder = Feeder(os.open(directory.input, os.O_RDONLY), writer)
    return Started(directory, job, cli, errors, feeder, folder)


def _spawn(
    directory: JobDirectory,
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
            is_over = time.monotonic() > deadline or directory.is_to_be_cancelled()
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


def _argument(directory: JobDirectory, argument: str | dict[str, str]) -> str:
    if isinstance(argument, str):
        return argument
    return f"{argument['flag']}={directory.path}/{argument['file']}"
