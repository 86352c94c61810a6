"""Processes: reused numbers, descendants, and marks."""

import gc
import os
import select
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from app import processes
from app.processes import (
    MARK,
    Process,
    boot_id,
    child,
    descendants,
    identify,
    marked,
    open_process,
    send_signal,
    signal_name,
    this_process,
)
from tests.support.gateway import eventually

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts programs, and leaves none of them or of theirs behind."""
    started = []

    def start_(*command: str, mark: str | None = None) -> "subprocess.Popen[bytes]":
        environ = {"PATH": os.environ.get("PATH", os.defpath)}
        if mark is not None:
            environ[MARK] = mark
        program = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE)
        started.append(program)
        return program

    yield start_
    for program in started:
        for below in descendants(program.pid):
            send_signal(below, signal.SIGKILL)
        program.kill()
        program.communicate()


def is_readable(descriptor: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def open_descriptors() -> int:
    """How many descriptors this process holds."""
    return len(list(Path("/proc/self/fd").iterdir()))


def state_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1]


def test_a_process_is_its_number_and_its_start(start: Start) -> None:
    program = start("sleep", "60")
    found = identify(program.pid)
    assert found is not None
    assert found.pid == program.pid
    assert found == child(program.pid) == identify(program.pid)
    assert found.started >= this_process().started
    assert identify(os.getpid()) == this_process()


def test_a_process_that_was_waited_for_is_none(start: Start) -> None:
    program = start("true")
    program.wait()
    assert identify(program.pid) is None
    with pytest.raises(ProcessLookupError):
        child(program.pid)


def test_a_zombie_is_no_process_but_still_its_parents_child(start: Start) -> None:
    program = start("sleep", "60")
    alive = child(program.pid)
    program.kill()
    eventually(lambda: state_of(program.pid) == b"Z")
    assert identify(program.pid) is None
    assert child(program.pid) == alive
    assert open_process(alive) is None
    assert not send_signal(alive, signal.SIGTERM)
    assert alive not in descendants(os.getpid())


@pytest.mark.parametrize("name", ["a) Z 1 (b", "sp ace", ") ) )", "ü\n"])
def test_the_name_of_a_program_confuses_nothing(name: str, start: Start, tmp_path: Path) -> None:
    path = tmp_path / name
    path.symlink_to("/bin/sleep")
    program = start(str(path), "60")
    eventually(lambda: name.encode() in Path(f"/proc/{program.pid}/stat").read_bytes())
    found = identify(program.pid)
    assert found is not None
    assert found in descendants(os.getpid())


@pytest.mark.parametrize("number", [0, -1, 1 << 30])
def test_numbers_that_no_process_has_are_none(number: int) -> None:
    assert identify(number) is None
    assert open_process(Process(number, 1)) is None
    assert not send_signal(Process(number, 1), signal.SIGKILL)


def test_an_open_process_becomes_readable_when_it_ends(start: Start) -> None:
    program = start("sleep", "60")
    descriptor = open_process(child(program.pid))
    assert descriptor is not None
    try:
        assert not is_readable(descriptor, 0)
        program.kill()
        assert is_readable(descriptor, 10)
    finally:
        os.close(descriptor)


def test_a_signal_reaches_its_process(start: Start) -> None:
    program = start("sleep", "60")
    assert send_signal(child(program.pid), signal.SIGTERM)
    assert program.wait(10) == -signal.SIGTERM


@pytest.mark.parametrize("off", [-1, 1, 100])
def test_a_number_that_was_used_again_is_not_signalled(off: int, start: Start) -> None:
    program = start("sleep", "60")
    recycled = Process(program.pid, child(program.pid).started + off)
    assert open_process(recycled) is None
    assert not send_signal(recycled, signal.SIGKILL)
    assert identify(program.pid) == child(program.pid)


def test_a_number_that_changes_hands_while_it_is_opened_is_not_signalled(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, other = start("sleep", "60"), start("sleep", "60")
    was = child(ended.pid)
    pidfd_open = os.pidfd_open
    monkeypatch.setattr(os, "pidfd_open", lambda _: pidfd_open(other.pid))
    ended.kill()
    ended.wait()
    assert not send_signal(was, signal.SIGKILL)
    assert other.poll() is None


def test_no_descriptor_is_left_open_for_who_is_gone(start: Start) -> None:
    program = start("sleep", "60")
    # What other tests have left open may be closed at any moment.
    gc.collect()
    before = open_descriptors()
    for off in range(1, 20):
        open_process(Process(program.pid, child(program.pid).started + off))
        send_signal(Process(program.pid, child(program.pid).started + off), signal.SIGKILL)
    send_signal(child(program.pid), 0)
    assert open_descriptors() == before


def test_descendants_are_found_in_every_group_and_session(start: Start) -> None:
    program = start(
        "sh",
        "-c",
        "sleep 61 & setsid sleep 62 & sh -c 'setsid sh -c \"sleep 63 & wait\" & wait' & wait",
    )
    # The shells (the outer one is not its own descendant), and the three that sleep.
    eventually(lambda: len(sleepers(program.pid)) == 3)
    found = descendants(program.pid)
    assert set(sleepers(program.pid)) <= set(found)
    assert len(set(found)) == len(found)
    assert child(program.pid) not in found
    assert len({os.getsid(process.pid) for process in found}) >= 3
    assert set(found) < set(descendants(os.getpid()))


def test_who_has_no_children_has_no_descendants(start: Start) -> None:
    program = start("sleep", "60")
    assert descendants(program.pid) == []
    assert descendants(1 << 30) == []


def sleepers(ancestor: int) -> list[Process]:
    """The descendants that sleep."""
    return [process for process in descendants(ancestor) if name_of(process.pid) == "sleep"]


def name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def test_a_subreaper_keeps_the_daemons_among_its_descendants(start: Start) -> None:
    program = start(
        sys.executable,
        "-c",
        textwrap.dedent(
            """
            import os, sys, time
            sys.path.insert(0, sys.argv[1])
            from app.processes import become_subreaper
            become_subreaper()
            os.waitpid(os.posix_spawnp("setsid", ["setsid", "-f", "sleep", "60"], os.environ), 0)
            print("ready", flush=True)
            time.sleep(60)
            """
        ),
        str(Path(processes.__file__).parents[1]),
    )
    assert program.stdout is not None
    assert program.stdout.readline() == b"ready\n"
    eventually(lambda: len(sleepers(program.pid)) == 1)
    (daemon,) = descendants(program.pid)
    assert os.getsid(daemon.pid) == daemon.pid
    assert Path(f"/proc/{daemon.pid}/stat").read_bytes().split()[3] == str(program.pid).encode()


def test_what_carries_a_jobs_mark_is_found_wherever_it_went(start: Start) -> None:
    job_id = str(uuid4())
    program = start("sh", "-c", "setsid sleep 61 & wait", mark=job_id)
    start("sleep", "60", mark=str(uuid4()))
    start("sleep", "60")
    eventually(lambda: len(sleepers(program.pid)) == 1)
    found = marked(job_id)
    assert set(found) == {child(program.pid), *descendants(program.pid)}
    for process in found:
        send_signal(process, signal.SIGKILL)
    eventually(lambda: marked(job_id) == [])


def test_a_mark_is_a_whole_variable_and_no_part_of_one(start: Start) -> None:
    job_id = str(uuid4())
    near = [
        start("sleep", "60", mark=f"{job_id}0"),
        start("sleep", "60", mark=job_id[:-1]),
        start("sleep", "60", mark=f"x\n{MARK}={job_id}"),
        start("sh", "-c", f"sleep 60 # {MARK}={job_id}\ntrue"),
    ]
    eventually(lambda: all(name_of(each.pid) in ("sleep", "sh") for each in near))
    assert marked(job_id) == []


def test_a_boot_has_one_id() -> None:
    assert boot_id() == boot_id()
    assert len(boot_id()) == 36


@pytest.mark.parametrize(
    ("number", "name"), [(2, "SIGINT"), (9, "SIGKILL"), (15, "SIGTERM"), (40, "signal 40")]
)
def test_a_signal_has_a_name(number: int, name: str) -> None:
    assert signal_name(number) == name


def test_memory_is_what_a_process_has_to_itself() -> None:
    program = "import sys; kept = bytearray(50 << 20); print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert 50 << 20 <= processes.memory_of(process.pid) < 70 << 20
    assert processes.memory_of(process.pid) == 0
