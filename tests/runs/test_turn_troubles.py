"""Troubles of a turn: its supervisor fails, or the CLI does not respond."""

import itertools
import resource
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from app.records import kept_run
from app.records.run import Run
from tests.support.cli_watch import CliWatch
from tests.support.gateway import Gateway, alive, eventually
from tests.support.waiting import Start


def await_turns(gateway: Gateway) -> None:
    eventually(lambda: "turns" in (gateway.ask("GET", "/health").json()["capabilities"] or []))


def idle_run(gateway: Gateway, session: str) -> kept_run.KeptRun:
    """The run that is kept for a session."""
    end = gateway.chat("line first", keep_alive=60, new_session_id=session).done()
    found = kept_run.read(str(gateway.state), end["run_id"])
    assert found is not None
    return found


def test_a_turn_is_not_served_again_when_its_supervisor_fails(start_gateway: Start) -> None:
    gateway = start_gateway()
    await_turns(gateway)
    session = str(uuid4())
    run = idle_run(gateway, session)
    notes, gate = gateway.folder / "notes", gateway.folder / "gate"
    with CliWatch({session}):
        stream = gateway.chat(
            f"note {notes} once", f"await {gate}", keep_alive=60, session_id=session
        )
        eventually(notes.exists)
        # From now on, each file that it opens is an error.
        resource.prlimit(run.supervisor.pid, resource.RLIMIT_NOFILE, (3, 3))
        gate.touch()
        assert stream.done()["status"] == "lost"
        assert notes.read_text() == "once\n"
        after = gateway.chat("line after", keep_alive=60, session_id=session).done()
        assert after["status"] == "succeeded"
        assert after["run_id"] != run.id


def test_a_job_whose_start_was_never_answered_starts_later(start_gateway: Start) -> None:
    gateway = start_gateway()
    await_turns(gateway)
    session = str(uuid4())
    run = idle_run(gateway, session)
    running = Run(str(gateway.state), run.id).running()
    assert running is not None
    with CliWatch({session}), ThreadPoolExecutor(1) as pool:
        # It can neither take the worker's connection nor read the job.
        with few_descriptors(run.supervisor.pid):
            posted = pool.submit(gateway.chat, "line two", keep_alive=60, session_id=session)
            eventually(lambda: not alive(running.cli.pid))
        assert posted.result().done()["status"] == "succeeded"
    # It could not be removed while no file could be opened.
    (gateway.state / "kept" / run.id).unlink(missing_ok=True)


@contextmanager
def few_descriptors(pid: int) -> Iterator[None]:
    """Have a process fail to open files."""
    most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    taken = {int(each.name) for each in Path(f"/proc/{pid}/fd").iterdir()}
    first = next(number for number in itertools.count() if number not in taken)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (first, most[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, most)
