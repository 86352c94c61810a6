"""The machine's processes, identified so that a signal never reaches the wrong one.

Standard library alone: the supervisor beside each job imports this.
"""

import ctypes
import errno
import functools
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

#: The variable in a run's environment by which its processes are found; it holds the run's id.
MARK = "CLAUDECODE2API_RUN"
#: The same in version 1.0, with the id of the job, which is that of its only run.
OLD_MARK = "CLAUDECODE2API_JOB"

# From linux/prctl.h; the standard library does not offer prctl.
_PR_SET_CHILD_SUBREAPER = 36
# Only these errors mean that a process is gone: after any other it may exist.
_GONE = (errno.ENOENT, errno.ESRCH)
# The largest C int: a record may contain any number.
_MOST_PID = (1 << 31) - 1
# What is added to a job's score for the kernel's OOM killer, and the highest score (proc(5)).
_OOM_RAISE = 500
_OOM_MOST = 1000
_prctl = ctypes.CDLL(None, use_errno=True).prctl
_prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4


class Process(NamedTuple):
    """One process; its start time distinguishes it from a later one with the same pid.

    `started` is field 22 of /proc/PID/stat, in clock ticks since boot (proc(5)).
    """

    pid: int
    started: int


def this_process() -> Process:
    """The calling process."""
    return _require(os.getpid())


def identify(pid: int) -> Process | None:
    """The process that has this pid now, or None; a zombie counts as none.

    Raises OSError if that cannot be found out, for example if no descriptor is free.
    """
    fields = _stat(pid)
    if fields is None or fields[0] in (b"Z", b"X"):
        return None
    return Process(pid, int(fields[19]))


def age(process: Process) -> float:
    """Seconds since this process started."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - process.started / os.sysconf("SC_CLK_TCK")


def memory_of(pid: int) -> int:
    """Bytes of memory that a process has to itself, without its program's; 0 if that is unknown.

    From `statm` (proc(5)), which the kernel counts anyway. `smaps_rollup` knows the process's share
    of what it shares, too, but takes 10 ms and more for one of 200 MB.
    """
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            _, resident, shared, *_ = map(int, file.read().split())
    except (OSError, ValueError):
        # It has exited.
        return 0
    return (resident - shared) * os.sysconf("SC_PAGE_SIZE")


def child(pid: int) -> Process:
    """A child that the caller has not waited for, so that its pid cannot be reused."""
    return _require(pid)


@functools.cache
def boot_id() -> str:
    """The id of this boot of the machine: start times can be compared within one boot."""
    return _read("/proc/sys/kernel/random/boot_id").decode().strip()


def open_process(process: Process) -> int | None:
    """A descriptor of the process (pidfd_open(2)), or None if the process is gone.

    It becomes readable when the process ends. The caller closes it. Raises OSError if it
    cannot be opened although the process may exist.
    """
    if not 0 < process.pid <= _MOST_PID:
        return None
    try:
        descriptor = os.pidfd_open(process.pid)
    except OSError as error:
        if error.errno not in _GONE:
            raise
        return None
    try:
        # The pid may have been reused before it was opened, but not after.
        found = identify(process.pid)
    except OSError:
        os.close(descriptor)
        raise
    if found != process:
        os.close(descriptor)
        return None
    return descriptor


def send_signal(process: Process, number: int) -> bool:
    """Send a signal to exactly this process; False if it is gone.

    Raises PermissionError for another user's process.
    """
    descriptor = open_process(process)
    if descriptor is None:
        return False
    try:
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


def group_of(process: Process) -> int | None:
    """The process group of a process, or None if it is gone."""
    fields = _stat(process.pid)
    return int(fields[2]) if fields and int(fields[19]) == process.started else None


def children_of(parent: int) -> list[Process]:
    """Every living child of a process."""
    return _by_parent().get(parent, [])


def descendants(*ancestors: int) -> list[Process]:
    """Every living descendant of these processes, in any process group or session."""
    children = _by_parent()
    found: list[Process] = []
    parents = [*ancestors]
    while parents:
        below = children.pop(parents.pop(), [])
        found += below
        parents += [process.pid for process in below]
    return found


def marked(run_id: str) -> list[Process]:
    """Every living process with this run's mark in its environment."""
    wanted = {f"{mark}={run_id}".encode() for mark in (MARK, OLD_MARK)}
    found = []
    for pid in _pids():
        process = identify(pid)
        if process is not None and not wanted.isdisjoint(_environment(pid).split(b"\0")):
            found.append(process)
    return found


def is_marked(pid: int) -> bool:
    """Whether a process has the mark of any run."""
    marks = (f"{MARK}=".encode(), f"{OLD_MARK}=".encode())
    return any(each.startswith(marks) for each in _environment(pid).split(b"\0"))


def parent_of(pid: int) -> int | None:
    """The pid of a process's parent, or None if it is gone."""
    fields = _stat(pid)
    return None if fields is None else int(fields[1])


def offer_to_kernel(pid: int) -> None:
    """If memory runs out, have the kernel kill this process or its children first.

    Sets `oom_score_adj` (proc(5)), which children inherit.
    """
    with suppress(OSError):
        raised = min(int(_read("/proc/self/oom_score_adj")) + _OOM_RAISE, _OOM_MOST)
        with open(f"/proc/{pid}/oom_score_adj", "wb") as file:
            file.write(b"%d" % raised)


def become_subreaper() -> None:
    """Make this process the parent of its orphaned descendants (prctl(2)). Raises OSError."""
    if _prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "cannot become a subreaper")


def has_idle_core() -> bool:
    """Whether fewer processes want to run at this moment than there are cores (proc(5))."""
    try:
        runnable = int(_read("/proc/loadavg").split()[3].split(b"/")[0])
    except (OSError, ValueError, IndexError):
        return False
    # This process runs, too.
    return runnable - 1 < len(os.sched_getaffinity(0))


def signal_name(number: int) -> str:
    """
    >>> signal_name(9)
    'SIGKILL'
    >>> signal_name(35)
    'signal 35'
    """
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _by_parent() -> dict[int, list[Process]]:
    """The living processes, by their parent's pid."""
    children: dict[int, list[Process]] = {}
    for pid in _pids():
        fields = _stat(pid)
        if fields is not None and fields[0] not in (b"Z", b"X"):
            children.setdefault(int(fields[1]), []).append(Process(pid, int(fields[19])))
    return children


def _require(pid: int) -> Process:
    fields = _stat(pid)
    if fields is None:
        raise ProcessLookupError(f"no process {pid}")
    return Process(pid, int(fields[19]))


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def _environment(pid: int) -> bytes:
    """The environment a process was started with; empty if it is gone or another user's."""
    try:
        return _read(f"/proc/{pid}/environ")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""


def _stat(pid: int) -> list[bytes] | None:
    """The fields of /proc/PID/stat after the name, which may contain anything.

    None if there is no such process. Raises OSError if that cannot be found out.
    """
    if not 0 < pid <= _MOST_PID:
        return None
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
    except OSError as error:
        if error.errno not in _GONE:
            raise
        return None
    try:
        return os.read(descriptor, 4096).rpartition(b") ")[2].split()
    except ProcessLookupError:
        return None
    finally:
        os.close(descriptor)
