"""Runs that are kept after their job, for the session's next one."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from app import processes
from app.records.job import Job
from app.records.kept_run import KeptRun, kept_runs
from tests.support.cli_watch import CliWatch
from tests.support.gateway import Gateway, Stream, alive, eventually, marked_in
from tests.support.talk import await_turns
from tests.support.two_users import ALICE, BOB, KEYS, by
from tests.support.waiting import begin, stopped


@pytest.fixture
def talking(gateway: Gateway) -> Gateway:
    """The shared gateway, once it knows that its CLI stays for further turns."""
    await_turns(gateway)
    return gateway


def turn(gateway: Gateway, *verbs: str, **fields: Any) -> dict[str, Any]:
    """A job whose run is kept; returns how it ended."""
    return gateway.chat(*verbs, **{"keep_alive": 60, **fields}).done()


def kept(gateway: Gateway) -> list[KeptRun]:
    return [each for each in kept_runs(str(gateway.state)) if each.state == "idle"]


def cli_of(run: KeptRun) -> int:
    """The pid of a kept run's CLI."""
    (child,) = processes.children_of(run.supervisor.pid)
    return child.pid


@contextmanager
def never_more_than_one_cli(gateway: Gateway) -> Iterator[None]:
    """Check all the time that no two CLIs of these runs are there at once."""
    done = threading.Event()
    most: list[set[int]] = [set()]

    def watch() -> None:
        while not done.is_set():
            found = {pid for pid in marked_in(gateway.state) if _is_cli(pid)}
            # One may have ended, and another begun, while they were looked for.
            found = {pid for pid in found if alive(pid)}
            most[0] = max(most[0], found, key=len)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    assert len(most[0]) <= 1, most


def _is_cli(pid: int) -> bool:
    try:
        return b"--input-format=stream-json" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def test_a_further_turn_is_served_by_the_same_run(talking: Gateway) -> None:
    first = turn(talking, "line one")
    second = turn(talking, "line two", session_id=first["session_id"])
    third = turn(talking, "line three", session_id=first["session_id"])
    assert [end["status"] for end in (first, second, third)] == ["succeeded"] * 3
    assert {end["run_id"] for end in (first, second, third)} == {first["process_id"]}
    assert {end["exit_code"] for end in (first, second, third)} == {None}
    # Of each job alone, although the CLI reports the sum.
    assert [end["total_cost_usd"] for end in (first, second, third)] == [0.25] * 3


def test_a_job_of_a_kept_run_has_only_its_own_lines(talking: Gateway) -> None:
    session = turn(talking, "line a")["session_id"]
    stream = talking.chat("line two", "line three", keep_alive=60, session_id=session)
    events = list(stream)
    lines = [event.data for event in events if event.name == "message"]
    assert b"two" in lines
    assert b"three" in lines
    assert b"a" not in lines
    # The same again, from the beginning and from the middle.
    again = list(talking.resume(stream.job_id))
    assert [(each.id, each.data) for each in again] == [(each.id, each.data) for each in events]
    middle = list(talking.resume(stream.job_id, events[1].id))
    assert [each.data for each in middle] == [each.data for each in events[2:]]
    text = talking.ask("GET", f"/chat/{stream.job_id}", headers={"Accept": "application/x-ndjson"})
    assert text.content.splitlines() == lines


def test_a_slow_reader_gets_nothing_that_the_run_prints_after_the_job(talking: Gateway) -> None:
    gate, own = talking.folder / "gate", talking.folder / "own"
    stream = talking.chat("line one", f"await {gate}", f"own {own}", keep_alive=60)
    _await_line(stream, b"one")
    job = Job(str(talking.state), stream.job_id)
    with ExitStack() as stack:
        for worker in talking.workers():
            stack.enter_context(stopped(worker))
        gate.touch()
        eventually(lambda: job.end() is not None)
        end = job.end()
        assert end is not None
        assert end.span_end is not None
        own.touch()
        eventually(lambda: job.size() > int(end.span_end or 0))
    printed = Path(job.output).read_bytes()[: end.span_end].splitlines()
    assert stream.messages() == printed[printed.index(b"one") + 1 :]


def test_a_run_ends_when_its_time_is_over(talking: Gateway) -> None:
    gate = talking.folder / "gate"
    stream = talking.chat("line one", f"await {gate}", keep_alive=0.5)
    _await_line(stream, b"one")
    cli = talking.processes_of(stream.job_id).cli.pid
    gate.touch()
    end = stream.done()
    # It was kept: the CLI had not exited at the end of the job.
    assert (end["run_id"], end["exit_code"]) == (stream.job_id, None)
    eventually(lambda: not alive(cli))
    eventually(lambda: all(each.id != end["run_id"] for each in kept(talking)))


def test_a_job_with_another_command_line_gets_another_run(talking: Gateway) -> None:
    first = turn(talking, "line one")
    second = turn(talking, "line two", session_id=first["session_id"], append_system_prompt="other")
    assert second["status"] == "succeeded"
    assert second["run_id"] == second["process_id"] != first["run_id"]


@pytest.mark.parametrize("field", ["mcp_config", "plugin_dir", "settings"])
def test_a_job_with_a_file_that_has_changed_gets_another_run(
    talking: Gateway, tmp_path: Path, field: str
) -> None:
    file = tmp_path / ("file" if field == "settings" else "folder/file")
    file.parent.mkdir(exist_ok=True)
    file.write_text("{}", encoding="ascii")
    named = {
        "mcp_config": [str(file)],
        "plugin_dir": [str(file.parent)],
        "settings": str(file),
    }[field]
    ends = [turn(talking, "line one", **{field: named})]
    session = ends[0]["session_id"]
    ends.append(turn(talking, "line two", session_id=session, **{field: named}))
    file.write_text('{"model":"x"}', encoding="ascii")
    ends.append(turn(talking, "line three", session_id=session, **{field: named}))
    assert [end["status"] for end in ends] == ["succeeded"] * 3
    assert ends[0]["run_id"] == ends[1]["run_id"] != ends[2]["run_id"]


def test_a_plain_job_of_the_session_gets_another_run(talking: Gateway) -> None:
    first = turn(talking, "line one")
    second = talking.chat("line two", "result ok", session_id=first["session_id"]).done()
    assert second["status"] == "succeeded"
    assert "run_id" not in second
    assert all(run.id != first["run_id"] for run in kept(talking))


def test_a_run_that_stands_still_for_a_moment_serves_the_next_job_all_the_same(
    talking: Gateway,
) -> None:
    first = turn(talking, "line one")
    cli = talking.processes_of(first["run_id"]).cli.pid
    with ThreadPoolExecutor(1) as pool:
        with stopped(cli):
            second = pool.submit(turn, talking, "line two", session_id=first["session_id"])
            eventually(talking.running)
            begun = time.monotonic()
            eventually(lambda: time.monotonic() > begun + 3)
        end = second.result()
    assert (end["status"], end["run_id"]) == ("succeeded", first["run_id"])


def test_an_interrupt_leaves_the_run(talking: Gateway) -> None:
    first = turn(talking, "line one")
    stream = talking.chat("line two", "silent", keep_alive=60, session_id=first["session_id"])
    _await_line(stream, b"two")
    # The client leaves.
    stream.close()
    record = talking.ask("GET", f"/jobs/{stream.job_id}?wait=20", timeout=30).json()
    assert record["status"] == "cancelled"
    third = turn(talking, "line three", session_id=first["session_id"])
    assert third["run_id"] == first["run_id"]


def test_a_cancellation_ends_the_run(talking: Gateway) -> None:
    first = turn(talking, "line one")
    stream = talking.chat("line two", "silent", keep_alive=60, session_id=first["session_id"])
    _await_line(stream, b"two")
    cli = talking.processes_of(first["run_id"]).cli.pid
    assert talking.ask("DELETE", f"/chat/{stream.job_id}").status_code == 200
    assert not alive(cli)
    assert stream.done()["status"] == "cancelled"
    third = turn(talking, "line three", session_id=first["session_id"])
    assert third["status"] == "succeeded"
    assert third["run_id"] != first["run_id"]


def _with_a_kept_run(
    start_gateway: Callable[..., Gateway],
) -> tuple[Gateway, dict[str, Any], KeptRun, int]:
    """A gateway, the end of a job, the run that is kept after it, and the pid of its CLI."""
    gateway = start_gateway()
    await_turns(gateway)
    first = turn(gateway, "line one")
    (run,) = kept(gateway)
    return gateway, first, run, cli_of(run)


def _await_line(stream: Stream, line: bytes) -> None:
    assert next(event.data for event in stream if event.data == line) == line


def test_the_operator_goes_on_with_a_users_session_in_a_run_of_the_operators_own(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway(API_KEYS=KEYS)
    await_turns(gateway)
    body = {"prompt": "line one", "cwd": str(gateway.project), "keep_alive": 60}
    first = gateway.ask("POST", "/chat", json=body, stream=True, **by(ALICE))
    session = gateway.opened(first).done()["session_id"]
    (alices,) = kept(gateway)
    cli = cli_of(alices)
    refused = gateway.ask("POST", "/chat", json={**body, "session_id": session}, **by(BOB))
    assert refused.status_code == 404
    assert alive(cli)
    with never_more_than_one_cli(gateway):
        end = turn(gateway, "line two", session_id=session)
    assert end["status"] == "succeeded"
    assert end["run_id"] == end["process_id"] != alices.id
    assert not alive(cli)
    (operators,) = kept(gateway)
    assert (operators.id, operators.user != alices.user) == (end["run_id"], True)


def test_a_run_ends_when_its_first_job_is_removed(talking: Gateway) -> None:
    first = turn(talking, "line one")
    (run,) = kept(talking)
    cli = cli_of(run)
    assert talking.ask("DELETE", f"/jobs/{first['process_id']}").status_code == 200
    eventually(lambda: not alive(cli))
    eventually(lambda: not kept(talking))
    second = turn(talking, "line two", session_id=first["session_id"])
    assert second["status"] == "succeeded"
    assert second["run_id"] == second["process_id"]


def test_the_removal_of_a_runs_first_job_leaves_a_later_one_as_it_is(
    talking: Gateway, tmp_path: Path
) -> None:
    go_on = tmp_path / "go on"
    first = turn(talking, "line one")
    session = first["session_id"]
    verbs = ("line two", f"await {go_on}", "line three")
    stream = talking.chat(*verbs, keep_alive=60, session_id=session)
    _await_line(stream, b"two")
    cli = talking.processes_of(first["run_id"]).cli.pid
    assert talking.ask("DELETE", f"/jobs/{first['process_id']}").status_code == 200
    go_on.touch()
    end = stream.done()
    assert (end["status"], end["run_id"]) == ("succeeded", first["run_id"])
    texts = [event.data for event in talking.resume(stream.job_id) if event.name == "message"]
    assert {b"two", b"three"} <= set(texts)
    assert b"one" not in texts
    eventually(lambda: not alive(cli))
    eventually(lambda: not kept(talking))
    assert not (talking.state / "runs" / first["run_id"]).exists()
    assert turn(talking, "line four", session_id=session)["status"] == "succeeded"


def test_a_huge_hole_in_the_output_ends_the_job_by_its_limit(talking: Gateway) -> None:
    hole = "shell truncate -s 300G $(readlink /proc/$$/fd/1)"
    end = talking.chat("line one", hole, "silent", keep_alive=60).done()
    assert (end["status"], end["reason"]) == ("failed", "output_limit")


@pytest.mark.parametrize("killed", ["cli", "supervisor", "launcher"])
def test_a_session_goes_on_after_a_crash_of_its_idle_run(
    start_gateway: Callable[..., Gateway], killed: str
) -> None:
    gateway, first, run, cli = _with_a_kept_run(start_gateway)
    pid = {"cli": cli, "supervisor": run.supervisor.pid, "launcher": gateway.launcher()}[killed]
    with never_more_than_one_cli(gateway):
        os.kill(pid, signal.SIGKILL)
        second = turn(gateway, "line two", session_id=first["session_id"])
        assert second["status"] == "succeeded"
        assert second["run_id"] == second["process_id"]
        assert not alive(cli)
        third = turn(gateway, "line three", session_id=first["session_id"])
        assert third["run_id"] == second["run_id"]


def test_a_job_that_is_cancelled_on_its_way_leaves_the_run(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway(WORKERS="1")
    await_turns(gateway)
    first = turn(gateway, "line one", new_session_id=str(uuid4()))
    session = first["session_id"]
    (run,) = kept(gateway)
    gate = gateway.folder / "gate"
    other = begin(gateway, f"await {gate}", "result ok")
    with CliWatch({session}), ThreadPoolExecutor(1) as pool:
        with stopped(run.supervisor.pid):
            second = pool.submit(turn, gateway, "line two", session_id=session)
            eventually(lambda: len(gateway.running()) == 2)
            job_id = gateway.running()[1]["process_id"]
            assert gateway.ask("DELETE", f"/chat/{job_id}").status_code == 200
        assert second.result()["status"] == "cancelled"
        # The supervisor that is idle last is the next one to get a job.
        gate.touch()
        other.done()
        third = turn(gateway, "line three", session_id=session)
        assert (third["status"], third["run_id"]) == ("succeeded", first["run_id"])


def test_a_supervisor_dies_before_it_reports_that_its_job_has_ended(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway(WORKERS="1")
    await_turns(gateway)
    gate = gateway.folder / "gate"
    job = gateway.chat(f"await {gate}", keep_alive=60)
    assert any(b'"init"' in event.data for event in job)
    with stopped(gateway.launcher()):
        gate.touch()
        end = job.done()
        eventually(lambda: kept(gateway))
        (run,) = kept(gateway)
        os.kill(run.supervisor.pid, signal.SIGKILL)
        eventually(lambda: not alive(run.supervisor.pid))
    eventually(lambda: not list(kept_runs(str(gateway.state))))
    assert turn(gateway, "line two", session_id=end["session_id"])["status"] == "succeeded"


@pytest.mark.parametrize("is_told", [False, True])
def test_a_supervisor_dies_before_it_reads_the_next_job(
    start_gateway: Callable[..., Gateway], is_told: bool
) -> None:
    gateway = start_gateway(WORKERS="1")
    await_turns(gateway)
    session = turn(gateway, "line one", new_session_id=str(uuid4()))["session_id"]
    (run,) = kept(gateway)
    # Neither of them notices that the other is gone.
    for pid in (run.supervisor.pid, cli_of(run)):
        os.kill(pid, signal.SIGSTOP)
    launcher = gateway.launcher()
    with CliWatch({session}), ThreadPoolExecutor(1) as pool:
        if is_told:
            further = pool.submit(turn, gateway, "line two", session_id=session)
            eventually(lambda: any((gateway.state / "live").iterdir()))
            # The worker and the launcher have passed that on before this one.
            assert gateway.chat("line other", "result ok").done()["status"] == "succeeded"
        # So that the launcher learns of all of it at once.
        with stopped(launcher):
            os.kill(run.supervisor.pid, signal.SIGKILL)
            eventually(lambda: not alive(run.supervisor.pid))
            if not is_told:
                further = pool.submit(turn, gateway, "line two", session_id=session)
                eventually(lambda: any((gateway.state / "live").iterdir()))
        assert further.result()["status"] == "succeeded"


@pytest.mark.parametrize("killed", ["cli", "supervisor"])
def test_a_crash_of_a_busy_run_is_no_success(
    start_gateway: Callable[..., Gateway], killed: str
) -> None:
    gateway, first, run, cli = _with_a_kept_run(start_gateway)
    stream = gateway.chat("line two", "silent", keep_alive=60, session_id=first["session_id"])
    _await_line(stream, b"two")
    os.kill({"cli": cli, "supervisor": run.supervisor.pid}[killed], signal.SIGKILL)
    end = stream.done()
    assert end["status"] == {"cli": "failed", "supervisor": "lost"}[killed]
    assert not alive(cli)
    third = turn(gateway, "line three", session_id=first["session_id"])
    assert third["status"] == "succeeded"


def test_a_busy_run_outlives_launcher_and_workers(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway()
    await_turns(gateway)
    first = turn(gateway, "line one")
    gate = gateway.folder / "gate"
    stream = gateway.chat(
        "line two", f"await {gate}", keep_alive=60, session_id=first["session_id"], detach=True
    )
    _await_line(stream, b"two")
    os.kill(gateway.launcher(), signal.SIGKILL)
    gateway.kill_workers()
    gate.touch()
    with never_more_than_one_cli(gateway):
        assert gateway.resume(stream.job_id).done()["status"] == "succeeded"
        third = turn(gateway, "line three", session_id=first["session_id"])
        assert third["status"] == "succeeded"


def test_the_run_used_least_recently_goes_first(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(RUNS_MEMORY="1")
    await_turns(gateway)
    first = turn(gateway, "line one")
    eventually(lambda: not kept(gateway))
    second = turn(gateway, "line two", session_id=first["session_id"])
    assert second["status"] == "succeeded"
    assert second["run_id"] == second["process_id"]


def test_a_cli_that_begins_too_many_turns_is_ended(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(OWN_TURNS="0")
    await_turns(gateway)
    own = gateway.folder / "own"
    first = turn(gateway, f"own {own}")
    (run,) = kept(gateway)
    cli = cli_of(run)
    own.touch()
    eventually(lambda: not alive(cli))
    second = turn(gateway, "line two", session_id=first["session_id"])
    assert second["status"] == "succeeded"


def test_nothing_of_a_kept_run_is_left_after_a_stop(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway()
    await_turns(gateway)
    turn(gateway, "line one")
    (run,) = kept(gateway)
    cli = cli_of(run)
    assert gateway.stop() == 0
    assert not alive(cli)
    assert not kept(gateway)


def test_two_jobs_of_one_kept_session_come_one_after_the_other(talking: Gateway) -> None:
    first = turn(talking, "line one")
    streams = [
        talking.chat(f"line {number}", keep_alive=60, session_id=first["session_id"])
        for number in range(4)
    ]
    ends = [stream.done() for stream in streams]
    assert [end["status"] for end in ends] == ["succeeded"] * 4
    assert {end["run_id"] for end in ends} == {first["run_id"]}
