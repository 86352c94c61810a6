"""A state folder of version 1.0, or of a version to come, and a gateway of this version."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from app import processes
from app.errors import ConfigurationError
from app.processes import OLD_MARK
from app.state.version import LAYOUT, check_layout, layout_in, layout_of, write_layout
from app.timestamps import now
from tests.support.gateway import ROOT, Gateway, eventually

Start = Callable[..., Gateway]

LINES = b'{"type":"system","session_id":"s1"}\n{"type":"result","is_error":false,"result":"x"}\n'


class OldFolder:
    """A state folder of version 1.0."""

    def __init__(self, state: Path) -> None:
        self.state = state
        for name in ("jobs", "live", "untold", "keys"):
            (state / name).mkdir(parents=True, exist_ok=True)

    def job(self, **more: Any) -> Path:
        """A job's folder with its record and output."""
        folder = self.state / "jobs" / str(uuid4())
        folder.mkdir()
        record = {
            "id": folder.name,
            "cwd": "/",
            "model": "sonnet",
            "session_id": None,
            "started_at": now(),
            "user": "admin",
            "arguments": ["--print"],
            "kill_grace": 5.0,
            "starter": [1 << 30, 1],
            "prompt_length": 5,
            **more,
        }
        (folder / "job.json").write_text(json.dumps(record), encoding="utf-8")
        (folder / "input").write_bytes(b"{}\n")
        (folder / "output").write_bytes(LINES)
        (folder / "errors").write_bytes(b"a complaint\n")
        return folder

    def ended(self, status: str = "succeeded", **more: Any) -> Path:
        """A job that has ended and whose end was logged."""
        folder = self.job()
        record = {"status": status, "ended_at": now(), "exit_code": 0, **more}
        (folder / "ended").write_text(json.dumps(record), encoding="utf-8")
        (folder / "output").chmod(0o400)
        return folder

    def running(self, supervisor: "subprocess.Popen[bytes]") -> Path:
        """A job that runs, with this process as its supervisor."""
        folder = self.job()
        of_supervisor = processes.child(supervisor.pid)
        record = {
            "supervisor": of_supervisor,
            "cli": [1 << 30, 1],
            "boot_id": processes.boot_id(),
        }
        (folder / "running").write_text(json.dumps(record), encoding="utf-8")
        os.link(folder / "job.json", self.state / "live" / folder.name)
        return folder


@pytest.fixture
def old(tmp_path: Path) -> OldFolder:
    """A state folder of version 1.0, as the STATE_DIR of the test's gateway."""
    return OldFolder(tmp_path / "state")


def sleeper(job: Path | None = None) -> "subprocess.Popen[bytes]":
    """A process in a new session, with the old mark of a job if one is given."""
    environment = {} if job is None else {OLD_MARK: job.name}
    return subprocess.Popen(["/bin/sleep", "300"], env=environment, start_new_session=True)


def test_jobs_that_have_ended_stay_readable_with_the_same_event_ids(
    old: OldFolder, start_gateway: Start
) -> None:
    done = old.ended(result_at=[36, len(LINES) - 37], result={"is_error": False})
    failed = old.ended("failed", error="went wrong")
    unlogged = old.ended()
    os.link(unlogged / "job.json", old.state / "untold" / unlogged.name)
    gateway = start_gateway()
    assert (old.state / "version").read_text(encoding="utf-8") == f"{LAYOUT}\n"
    events = [event for event in gateway.resume(done.name) if event.name == "message"]
    assert [event.data for event in events] == LINES.splitlines()
    assert [event.id for event in events] == ["36", str(len(LINES))]
    later = gateway.resume(done.name, "36")
    assert later.messages() == LINES.splitlines()[1:]
    assert gateway.ask("GET", f"/chat/{done.name}?last_event_id=35").status_code == 400
    record = gateway.ask("GET", f"/jobs/{failed.name}").json()
    assert (record["status"], record["error"]) == ("failed", "went wrong")
    assert record["stderr"] == "a complaint\n"
    assert gateway.ask("GET", f"/jobs/{done.name}").json()["result"] == "x"
    eventually(lambda: f"job {unlogged.name} succeeded" in gateway.log())
    assert not (old.state / "untold").exists()
    rows = gateway.ask("GET", "/jobs").json()["jobs"]
    assert {row["process_id"] for row in rows} == {done.name, failed.name, unlogged.name}


def test_jobs_that_ran_are_lost_and_all_their_processes_are_ended(
    old: OldFolder, start_gateway: Start
) -> None:
    supervisor = sleeper()
    job = old.running(supervisor)
    waiting = old.job()
    os.link(waiting / "job.json", old.state / "live" / waiting.name)
    with supervisor, sleeper(job) as cli, sleeper() as other:
        gateway = start_gateway()
        assert supervisor.wait(10) == -signal.SIGKILL
        assert cli.wait(10) == -signal.SIGTERM
        assert other.poll() is None
        other.kill()
    for lost in (job, waiting):
        assert gateway.ask("GET", f"/jobs/{lost.name}").json()["status"] == "lost"
        assert gateway.resume(lost.name).done()["status"] == "lost"
    assert gateway.running() == []
    assert gateway.chat("line a", "result ok").messages()[0] == b"a"


def test_a_folder_of_this_version_without_its_number_is_not_upgraded(
    start_gateway: Start,
) -> None:
    gateway = start_gateway()
    flag = gateway.folder / "flag"
    running = gateway.chat("line a", f"await {flag}", "result ok", detach=True)
    assert running.next().data == b"a"
    gateway.kill()
    (gateway.state / "version").unlink()
    gateway.start()
    flag.touch()
    assert gateway.resume(running.job_id).done()["status"] == "succeeded"
    eventually(lambda: layout_of(str(gateway.state)) == LAYOUT)


@pytest.mark.parametrize("what", ["nothing", "a pipe", "a link", "a folder", "text"])
def test_a_number_that_a_job_has_damaged_is_written_again(what: str, tmp_path: Path) -> None:
    path = tmp_path / "version"
    (tmp_path / "jobs/1").mkdir(parents=True)
    if what == "a pipe":
        os.mkfifo(path)
    elif what == "a link":
        path.symlink_to(tmp_path / "elsewhere")
        (tmp_path / "elsewhere").write_text(f"{LAYOUT}\n", encoding="utf-8")
    elif what == "a folder":
        path.mkdir()
    elif what == "text":
        path.write_text("two" * 30, encoding="utf-8")
    assert layout_of(str(tmp_path)) == 1
    write_layout(str(tmp_path))
    assert layout_of(str(tmp_path)) == LAYOUT
    assert not path.is_symlink()


def test_a_folder_of_a_newer_version_is_refused_and_not_changed(
    tmp_path: Path, fake_claude: Path
) -> None:
    gateway = Gateway(tmp_path, fake_claude)
    gateway.state.mkdir(parents=True)
    (gateway.state / "version").write_text("3\n", encoding="utf-8")
    assert gateway.launch().wait(20) == 78
    assert "written by a newer version of the gateway (layout 3" in gateway.log()
    assert [path.name for path in gateway.state.iterdir()] == ["version"]


def test_a_used_folder_must_have_the_layout_of_the_new_code(old: OldFolder) -> None:
    old.ended()
    check_layout(str(old.state), is_used=False)
    with pytest.raises(ConfigurationError, match=r"layout 1, .* layout 2: restart"):
        check_layout(str(old.state), is_used=True)


def test_the_layout_of_code_is_read_without_running_it(tmp_path: Path) -> None:
    assert layout_in(ROOT) == LAYOUT
    # Version 1.0 has no such module.
    assert layout_in(tmp_path) == 1
    module = tmp_path / "app/state/version.py"
    module.parent.mkdir(parents=True)
    module.write_text("import no_such_module\nLAYOUT = 7\n", encoding="utf-8")
    assert layout_in(tmp_path) == 7


@pytest.mark.parametrize("layout", ["1", "3"])
def test_a_reload_into_code_with_another_layout_is_refused_and_logged(
    layout: str, tmp_path: Path, fake_claude: Path
) -> None:
    gateway = Gateway(tmp_path, fake_claude)
    gateway.copy_code()
    try:
        gateway.start()
        assert gateway.process is not None
        before = gateway.workers()
        version = gateway.code / "app/state/version.py"
        text = version.read_text(encoding="utf-8")
        version.write_text(text.replace(f"LAYOUT = {LAYOUT}", f"LAYOUT = {layout}"))
        gateway.process.send_signal(signal.SIGHUP)
        eventually(lambda: "the reload is refused: the running gateway" in gateway.log())
        assert f"the new code in layout {layout}: restart the gateway" in gateway.log()
        assert gateway.workers() == before
        assert gateway.chat("line a", "result ok").messages()[0] == b"a"
    finally:
        gateway.stop()


def test_a_master_of_version_1_that_reloads_this_code_ends_to_be_restarted(
    old: OldFolder, fake_claude: Path, tmp_path: Path
) -> None:
    old.ended()
    gateway = Gateway(tmp_path, fake_claude)
    program = (
        "import fcntl, runpy; lock = open('{}/gateway.lock', 'w');"
        " fcntl.lockf(lock, fcntl.LOCK_EX); runpy.run_path('{}')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program.format(old.state, ROOT / "gunicorn.conf.py")],
        env=gateway.environment,
        cwd=gateway.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "restart the gateway instead" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (old.state / "version").exists()
