"""The process beside each job: it starts the CLI, waits for it, and leaves nothing behind.

The launcher (`app/jobs/launcher.py`) forks it and gives it a job, and another one when that
has ended. While it has a job it depends on nobody: it outlives the launcher and the gateway.
Standard library alone, and little of it: each page that it touches after its fork is copied.
"""

import errno
import os
import select
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NamedTuple

from app.jobs import processes
from app.jobs.directory import Ended, Job, JobDirectory, Running
from app.jobs.ending import judge
from app.jobs.processes import Process
from app.jobs.sweep import SWEEP_PATIENCE, sweep

#: What a cancelled job gets, and at which share of its grace: to the CLI alone while it may
#: still stop its tools and write a last `result`, then to everything it started. The second
#: SIGINT is for the one in 25 that the CLI loses while it starts.
LADDER = (
    (0.0, signal.SIGINT),
    (0.125, signal.SIGINT),
    (0.5, signal.SIGTERM),
    (1.0, signal.SIGKILL),
)
#: Standard error is cut to its last `ERRORS_KEPT` bytes whenever it exceeds `ERRORS_LIMIT`.
ERRORS_LIMIT = 1 << 20
ERRORS_KEPT = 1 << 18
#: Seconds between looks at the size of standard error.
_TICK = 5.0

# What Python or the gateway ignores or handles must not reach the CLI.
_RESET = (
    signal.SIGPIPE,
    signal.SIGXFSZ,
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGCHLD,
)


class CannotStart(Exception):
    """The CLI could not be started; the message says why."""


class _Started(NamedTuple):
    """A job whose CLI runs."""

    directory: JobDirectory
    job: Job
    cli: int
    errors: int
    feeder: "_Feeder"


def supervise(
    directory: JobDirectory,
    claude: str,
    environment: Mapping[bytes, bytes],
    wakeup: int,
    report: Callable[[str], None],
) -> bool:
    """Run one job to its end; then `ended` is written, unless it was claimed before.

    `wakeup` is from `watch_signals`; the caller is a subreaper and has no other children, and
    if this returns False it must not take another job, because some are left. `report` is told
    once: `started`, or `failed` and why.
    """
    try:
        started = _start(directory, claude, environment)
    except CannotStart as error:
        report(f"failed {error}")
        return True
    # First of all, because a client waits for it.
    report("started")
    try:
        directory.set_running(
            Running(processes.this_process(), processes.child(started.cli), processes.boot_id())
        )
        ended = _Supervision(started, wakeup).until_end()
        _write_end(directory, ended)
    except BaseException:
        # Nobody is left who would end them.
        sweep(lambda: processes.descendants(os.getpid()), time.sleep, 0.0)
        raise
    os.close(started.errors)
    return ended.left == 0


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


def _start(directory: JobDirectory, claude: str, environment: Mapping[bytes, bytes]) -> _Started:
    """Claim the job and start its CLI. Raises CannotStart."""
    try:
        errors = os.open(directory.errors, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
    except OSError as error:
        # Claimed before, or removed meanwhile.
        raise CannotStart(f"cannot claim the job: {error.strerror}") from None
    job = directory.job()
    if job is None:
        os.close(errors)
        raise CannotStart("cannot start the job: it has no record")
    output = os.open(directory.output, os.O_WRONLY | os.O_APPEND)
    reader, writer = os.pipe()
    try:
        # posix_spawn knows no working directory, so it is ours for a moment.
        os.chdir(job.cwd)
        cli = os.posix_spawn(
            claude,
            [claude, *(_argument(directory, argument) for argument in job.arguments)],
            {**environment, processes.MARK.encode(): job.id.encode()},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, reader, 0),
                (os.POSIX_SPAWN_DUP2, output, 1),
                (os.POSIX_SPAWN_DUP2, errors, 2),
            ],
            setsid=True,
            setsigmask=[],
            setsigdef=_RESET,
        )
    except OSError as error:
        os.close(errors)
        os.close(writer)
        message = f"cannot start {claude} in {job.cwd}: {error.strerror}"
        directory.end(judge(directory, "failed", job.session_id, error=message))
        raise CannotStart(message) from None
    finally:
        os.chdir("/")
        os.close(reader)
        os.close(output)
    return _Started(
        directory, job, cli, errors, _Feeder(os.open(directory.input, os.O_RDONLY), writer)
    )


class _Feeder:
    """Feeds the input file to the CLI through a pipe, and closes it after the last byte.

    Through a pipe because the CLI does not read its stream-json input from a regular file
    (2.1.197: exit 0 and no output at all).
    """

    def __init__(self, source: int, descriptor: int) -> None:
        self._source = source
        self._pending = b""
        self.descriptor: int | None = descriptor
        os.set_blocking(descriptor, False)
        self.feed()

    def feed(self) -> None:
        """Write as much as the pipe takes."""
        while self.descriptor is not None:
            if not self._pending:
                self._pending = os.read(self._source, 1 << 16)
            if not self._pending:
                self.close()
                return
            try:
                written = os.write(self.descriptor, self._pending)
            except BlockingIOError:
                return
            except BrokenPipeError:
                self.close()
                return
            self._pending = self._pending[written:]

    def close(self) -> None:
        """Close both ends; a second call does nothing."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            os.close(self._source)
            self.descriptor = None


class _Supervision:
    """Waits for the CLI, feeds it, and goes up the ladder when told to."""

    def __init__(self, started: _Started, wakeup: int) -> None:
        self._started = started
        self._cli = started.cli
        self._wakeup = wakeup
        self._status: int | None = None
        self._cancelled_at: float | None = None
        self._interrupted = False
        self._rungs = list(LADDER)
        self._highest: signal.Signals | None = None
        self._killed: set[Process] = set()

    def until_end(self) -> Ended:
        """Return how the CLI ended, once nothing that it started is left."""
        # Whoever asked before we could be found sent no signal.
        self._cancel()
        while self._status is None:
            self._wait(self._climb())
            self._cap_errors()
            if not self._started.directory.exists():
                # Nobody could ask for its end any more.
                self._cancel()
        self._started.feeder.close()
        swept = sweep(self._left, self._wait, self._sweep_patience())
        if swept.highest is not None:
            self._use(swept.highest)
        killed = {process.pid for process in (self._killed | swept.ended) - swept.left}
        if self._cancelled_at is not None:
            killed.add(self._cli)
        return judge(
            self._started.directory,
            "cancelled" if self._interrupted or self._cancelled_at is not None else None,
            self._started.job.session_id,
            wait_status=self._status,
            stop_signal=self._highest.name if self._highest else None,
            killed=len(killed),
            left=len(swept.left),
        )

    def _wait(self, seconds: float) -> None:
        """Until a signal arrives or the input pipe has room, but at most so long."""
        poll = select.poll()
        poll.register(self._wakeup, select.POLLIN)
        if self._started.feeder.descriptor is not None:
            poll.register(self._started.feeder.descriptor, select.POLLOUT)
        for descriptor, _ in poll.poll(seconds * 1000):
            if descriptor == self._wakeup:
                numbers = os.read(self._wakeup, 4096)
                self._reap()
                # A cancellation that arrives once the CLI has exited does not change its end.
                if signal.SIGTERM in numbers and self._status is None:
                    self._cancel()
            else:
                self._started.feeder.feed()

    def _cancel(self) -> None:
        # The signal may have been meant for the job that this process had before.
        directory = self._started.directory
        if self._cancelled_at is None and directory.is_to_be_cancelled():
            self._cancelled_at = time.monotonic()
        if directory.take_interrupt():
            self._interrupted = True
            self._use(signal.SIGINT)
            os.kill(self._cli, signal.SIGINT)

    def _reap(self) -> bool:
        """Wait for every child that has ended; whether any is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self._cli:
                self._status = status

    def _left(self) -> list[Process]:
        """What is left of the job. Only the kernel knows for sure that there is nothing."""
        while self._reap():
            if found := processes.descendants(os.getpid()):
                return found
            # A child that was forked while we looked: look again.
            time.sleep(0.001)
        return []

    def _climb(self) -> float:
        """Use every rung that is due; returns the seconds until the next look."""
        if self._cancelled_at is None:
            return _TICK
        grace = self._started.job.kill_grace
        elapsed = time.monotonic() - self._cancelled_at
        while self._rungs and elapsed >= self._rungs[0][0] * grace:
            _, number = self._rungs.pop(0)
            self._use(number)
            if number == signal.SIGINT:
                # Our own child, not waited for: the number is still its.
                os.kill(self._cli, number)
            else:
                for process in processes.descendants(os.getpid()):
                    with suppress(PermissionError):
                        processes.send_signal(process, number)
                        self._killed.add(process)
        if not self._rungs:
            # SIGKILL once more, for what was forked meanwhile.
            self._rungs = [LADDER[-1]]
            return 0.1
        return max(0.0, self._rungs[0][0] * grace - elapsed)

    def _use(self, number: signal.Signals) -> None:
        order = (None, signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
        self._highest = max(self._highest, number, key=order.index)

    def _sweep_patience(self) -> float:
        if self._cancelled_at is None:
            return SWEEP_PATIENCE
        left = self._started.job.kill_grace - (time.monotonic() - self._cancelled_at)
        return max(0.0, min(SWEEP_PATIENCE, left))

    def _cap_errors(self) -> None:
        errors = self._started.errors
        size = os.fstat(errors).st_size
        if size > ERRORS_LIMIT:
            # The CLI appends wherever the end is, so it goes on behind what is kept.
            kept = os.pread(errors, ERRORS_KEPT, size - ERRORS_KEPT)
            os.ftruncate(errors, 0)
            os.write(errors, kept)


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
