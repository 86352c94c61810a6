"""The process beside each job: it starts the CLI, waits for it, and leaves nothing behind.

The launcher forks it (`app/jobs/launcher.py`), and it outlives both the launcher and the
gateway. It knows its job's directory and nothing else. Standard library alone, so that a
supervisor stays about a megabyte.
"""

import os
import select
import signal
import time
from collections.abc import Callable, Mapping

from app.jobs import processes
from app.jobs.ending import judge
from app.jobs.processes import Process
from app.jobs.spool import Ended, Job, JobDirectory, Running

#: What a cancelled job gets, and at which share of its grace: to the CLI alone while it may
#: still stop its tools and write a last `result`, then to everything it started. The second
#: SIGINT is for the one in 25 that the CLI loses while it starts.
LADDER = (
    (0.0, signal.SIGINT),
    (0.125, signal.SIGINT),
    (0.5, signal.SIGTERM),
    (1.0, signal.SIGKILL),
)
#: Seconds that what outlives its CLI has between SIGTERM and SIGKILL.
SWEEP_PATIENCE = 1.0
#: Seconds after which what survives SIGKILL (a process stuck in the kernel) is given up.
SWEEP_LIMIT = 30.0
#: Standard error is cut to its last `ERRORS_KEPT` bytes whenever it exceeds `ERRORS_LIMIT`.
ERRORS_LIMIT = 1 << 20
ERRORS_KEPT = 1 << 18
#: Seconds between looks at the size of standard error.
_TICK = 5.0


class CannotStart(Exception):
    """The CLI could not be started; the message says why."""


def supervise(
    directory: JobDirectory,
    claude: str,
    environment: Mapping[str, str],
    report: Callable[[str], None],
) -> None:
    """Run one job from its directory to its end. Returns when `ended` is written.

    `report` is told once: `started`, or `failed` and why. A job that another supervisor has
    claimed is left alone and reported as failed.
    """
    try:
        errors = os.open(directory.errors, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
    except FileExistsError:
        report("failed the job was started before")
        return
    job = directory.job()
    if job is None:
        report("failed the job has no record")
        return
    processes.become_subreaper()
    wakeup = _watch_signals()
    try:
        cli, feeder = _start(directory, job, claude, environment, errors)
    except (CannotStart, OSError) as error:
        message = str(error) if isinstance(error, CannotStart) else f"cannot start: {error}"
        directory.end(judge(directory, "failed", error=message))
        report(f"failed {message}")
        return
    me = processes.this_process()
    directory.set_running(Running(me, processes.child(cli), processes.boot_id()))
    report("started")
    directory.end(_Watch(directory, cli, feeder, errors, wakeup, job.kill_grace).until_end())


def sweep(
    find: Callable[[], list[Process]], wait: Callable[[float], None], patience: float
) -> tuple[int, signal.Signals | None]:
    """End every process that `find` returns, until it returns none.

    Each gets SIGTERM when first seen, and SIGKILL once `patience` seconds have passed since
    the beginning. `wait` sleeps for at most the seconds it is given. Returns how many there
    were and the highest signal used.
    """
    seen: set[Process] = set()
    highest: signal.Signals | None = None
    begun = time.monotonic()
    while left := find():
        elapsed = time.monotonic() - begun
        if elapsed >= patience:
            highest = signal.SIGKILL
            processes.signal_all(left, signal.SIGKILL)
        elif new := [process for process in left if process not in seen]:
            highest = signal.SIGTERM
            processes.signal_all(new, signal.SIGTERM)
        seen.update(left)
        if elapsed >= patience + SWEEP_LIMIT:
            break
        wait(0.01 if elapsed >= patience else min(0.05, patience - elapsed))
    return len(seen), highest


class _Watch:
    """Waits for the CLI, feeds it, and goes up the ladder when told to."""

    def __init__(
        self,
        directory: JobDirectory,
        cli: int,
        feeder: "_Feeder",
        errors: int,
        wakeup: int,
        kill_grace: float,
    ) -> None:
        self._directory = directory
        self._cli = processes.child(cli)
        self._feeder = feeder
        self._errors = errors
        self._wakeup = wakeup
        self._kill_grace = kill_grace
        self._status: int | None = None
        self._cancelled_at: float | None = None
        self._rungs = list(LADDER)
        self._highest: signal.Signals | None = None
        self._killed: set[Process] = set()

    def until_end(self) -> Ended:
        """Return how the CLI ended, once nothing that it started is left."""
        while self._status is None:
            self._wait(self._climb())
            self._cap_errors()
        self._feeder.close()
        swept, highest = sweep(
            lambda: self._reaped_descendants(), self._wait, self._sweep_patience()
        )
        if highest is not None:
            self._use(highest)
        if self._cancelled_at is not None:
            self._killed.add(self._cli)
        return judge(
            self._directory,
            None if self._cancelled_at is None else "cancelled",
            wait_status=self._status,
            stop_signal=self._highest.name if self._highest else None,
            killed=swept + len(self._killed),
        )

    def _wait(self, seconds: float) -> None:
        """Until a signal arrives or the input pipe has room, but at most so long."""
        poll = select.poll()
        poll.register(self._wakeup, select.POLLIN)
        if self._feeder.descriptor is not None:
            poll.register(self._feeder.descriptor, select.POLLOUT)
        for descriptor, _ in poll.poll(seconds * 1000):
            if descriptor == self._wakeup:
                # A cancellation that arrives once the CLI has exited does not change its end.
                numbers = os.read(self._wakeup, 4096)
                self._reap()
                if signal.SIGTERM in numbers and self._status is None:
                    self._cancelled_at = self._cancelled_at or time.monotonic()
            else:
                self._feeder.feed()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._cli.pid:
                self._status = status

    def _reaped_descendants(self) -> list[Process]:
        """What is left of the job. Without children there is no descendant to search for."""
        self._reap()
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return []
        return processes.descendants(os.getpid())

    def _climb(self) -> float:
        """Use every rung that is due; returns the seconds until the next look."""
        if self._cancelled_at is None:
            return _TICK
        elapsed = time.monotonic() - self._cancelled_at
        while self._rungs and elapsed >= self._rungs[0][0] * self._kill_grace:
            _, number = self._rungs.pop(0)
            self._use(number)
            if number == signal.SIGINT:
                processes.send_signal(self._cli, number)
            else:
                everything = processes.descendants(os.getpid())
                self._killed.update(everything)
                processes.signal_all(everything, number)
        if not self._rungs:
            # SIGKILL once more, for what was forked meanwhile.
            self._rungs = [LADDER[-1]]
            return 0.1
        return max(0.0, self._rungs[0][0] * self._kill_grace - elapsed)

    def _use(self, number: signal.Signals) -> None:
        order = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
        if self._highest is None or order.index(number) > order.index(self._highest):
            self._highest = number

    def _sweep_patience(self) -> float:
        if self._cancelled_at is None:
            return SWEEP_PATIENCE
        left = self._kill_grace - (time.monotonic() - self._cancelled_at)
        return max(0.0, min(SWEEP_PATIENCE, left))

    def _cap_errors(self) -> None:
        size = os.fstat(self._errors).st_size
        if size <= ERRORS_LIMIT:
            return
        # The CLI appends wherever the end is, so it goes on behind what is kept.
        kept = os.pread(self._errors, ERRORS_KEPT, size - ERRORS_KEPT)
        os.ftruncate(self._errors, 0)
        os.write(self._errors, kept)


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


def _watch_signals() -> int:
    """A descriptor that becomes readable with the number of each signal that arrives."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    # A terminal's end, or a Ctrl-C in it, is not a cancellation.
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    return reader


def _start(
    directory: JobDirectory,
    job: Job,
    claude: str,
    environment: Mapping[str, str],
    errors: int,
) -> tuple[int, _Feeder]:
    """Fork and execute the CLI; returns its pid and what feeds it. Raises CannotStart."""
    arguments = [claude, *(_argument(directory, argument) for argument in job.arguments)]
    variables = {**environment, processes.MARK: job.id}
    output = os.open(directory.output, os.O_WRONLY | os.O_APPEND)
    reader, writer = os.pipe()
    # Everything here closes on exec, so the parent reads an error or, on success, nothing.
    failure_reader, failure_writer = os.pipe()
    supervisor = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            _become_cli(job.cwd, arguments, variables, (reader, output, errors), supervisor)
        except OSError as error:
            os.write(failure_writer, f"cannot start {arguments[0]} in {job.cwd}: {error}".encode())
        finally:
            os._exit(127)
    for descriptor in (failure_writer, reader, output):
        os.close(descriptor)
    feeder = _Feeder(os.open(directory.input, os.O_RDONLY), writer)
    failure = os.read(failure_reader, 1 << 16)
    os.close(failure_reader)
    if failure:
        feeder.close()
        os.waitpid(pid, 0)
        raise CannotStart(failure.decode(errors="replace"))
    return pid, feeder


def _become_cli(
    cwd: str,
    arguments: list[str],
    variables: Mapping[str, str],
    streams: tuple[int, int, int],
    supervisor: int,
) -> None:
    """In the child: never returns, or raises OSError."""
    os.setsid()
    for target, source in enumerate(streams):
        os.dup2(source, target)
    # SIGINT lets the CLI stop its tools if its supervisor is killed.
    processes.die_with_parent(signal.SIGINT)
    if os.getppid() != supervisor:
        os._exit(127)
    signal.set_wakeup_fd(-1)
    for number in (
        signal.SIGPIPE,
        signal.SIGXFSZ,
        signal.SIGHUP,
        signal.SIGINT,
        signal.SIGTERM,
        signal.SIGCHLD,
    ):
        signal.signal(number, signal.SIG_DFL)
    os.chdir(cwd)
    os.execve(arguments[0], arguments, variables)


def _argument(directory: JobDirectory, argument: str | dict[str, str]) -> str:
    if isinstance(argument, str):
        return argument
    return f"{argument['flag']}={directory.path / argument['file']}"
