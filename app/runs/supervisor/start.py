"""The start of a run's CLI.

Standard library alone, because the supervisor imports this.
"""

import errno
import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import NamedTuple

from app import processes
from app.processes import Process
from app.records.run import Run, Running, RunStart
from app.runs import temporary_folder
from app.runs.supervisor.begun_session import resumed_if_begun
from app.runs.supervisor.stdin_writer import StdinWriter
from app.state import files
from app.state.remove_tree import remove

# The environment of a run that talks. It reports when it is idle, and offers no timetable,
# by which it would begin turns for as long as it lives (2.1.330).
_TALKS = {b"CLAUDE_CODE_SDK_READS_SESSION_STATE": b"1", b"CLAUDE_CODE_DISABLE_CRON": b"1"}
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


class StartedRun(NamedTuple):
    """A run whose CLI was started.

    `cli` is the CLI's pid, `stderr` and `output` are open files, `temporary_folder` is a path.
    `retried`: the first attempt at the start failed.
    """

    run: Run
    start: RunStart
    running: Running
    cli: int
    stderr: int
    output: int
    stdin: StdinWriter
    temporary_folder: str
    retried: bool


def start(
    run: Run,
    run_start: RunStart,
    claude: str,
    environment: Mapping[bytes, bytes],
    supervisor: Process,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> StartedRun:
    """Start the CLI of a run, with nothing on its standard input yet.

    A start that waits for a binary that is being replaced ends early if `is_cancelled`. Raises
    OSError, and then no file is left open.
    """
    with ExitStack() as stack:

        def close_on_error(descriptor: int) -> int:
            stack.callback(os.close, descriptor)
            return descriptor

        stderr = close_on_error(run.open_stderr())
        output = close_on_error(files.open_file(run.output, os.O_WRONLY | os.O_APPEND))
        folder = temporary_folder.make(run.path, environment)
        stack.callback(remove, folder, _CLEANUP_PATIENCE)
        reader, writer = os.pipe()
        close_on_error(writer)
        variables = dict.fromkeys(temporary_folder.VARIABLES, folder.encode())
        if run_start.talks:
            variables.update(_TALKS)
        for name, value in run_start.variables.items():
            variables[name.encode()] = value.encode()
        arguments = [_argument(run.path, argument) for argument in run_start.arguments]
        try:
            # posix_spawn cannot set a working directory, so this process enters it.
            _enter(run_start)
            cli, retried = _spawn(
                [claude, *resumed_if_begun(arguments, environment, os.getcwd())],
                {**environment, **variables, processes.MARK.encode(): run.id.encode()},
                (reader, output, stderr),
                is_cancelled,
            )
        finally:
            os.chdir("/")
            os.close(reader)
        stack.pop_all()
    processes.offer_to_kernel(cli)
    running = Running(supervisor, processes.child(cli), processes.boot_id())
    stdin = StdinWriter(writer)
    return StartedRun(run, run_start, running, cli, stderr, output, stdin, folder, retried)


def check_folder(run_start: RunStart) -> None:
    """Check that the run's working directory can be entered. Raises OSError."""
    try:
        _enter(run_start)
    finally:
        os.chdir("/")


def _enter(run_start: RunStart) -> None:
    """Enter the run's working directory. Raises OSError.

    Its path is checked again: since the request, it may have become a link out of the roots.
    """
    os.chdir(run_start.cwd)
    cwd, roots = os.getcwd(), run_start.roots
    if roots and not any(os.path.commonpath((cwd, root)) == root for root in roots):
        raise PermissionError(errno.EACCES, "it is outside of CWD_ROOTS now")


def _spawn(
    command: list[str],
    environment: Mapping[bytes, bytes],
    streams: tuple[int, int, int],
    is_cancelled: Callable[[], bool],
) -> tuple[int, bool]:
    """Start the CLI with these standard streams; returns its pid, and whether that was retried.

    Waits for a binary that an update is replacing. Raises OSError.
    """
    deadline = time.monotonic() + UPDATE_PATIENCE
    retried = False
    while True:
        try:
            pid = os.posix_spawn(
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
            is_final = time.monotonic() > deadline or is_cancelled()
            if is_final or error.errno not in _BEING_REPLACED:
                raise
        else:
            return pid, retried
        retried = True
        time.sleep(_RETRY_AFTER)


def _argument(folder: str, argument: str | dict[str, str]) -> str:
    if isinstance(argument, str):
        return argument
    return f"{argument['flag']}={folder}/{argument['file']}"
