"""Each run's folder for temporary files: a short path, private, removed at the end."""

import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.runs import temporary_folder
from app.state.remove_tree import remove
from tests.support.gateway import Gateway, Stream, eventually, kill_all

PATH = re.compile(r"/tmp/cc2-[0-9a-f]{12}")  # noqa: S108


def folder_of(stream: Stream) -> Path:
    """What a job's `shell echo $TMPDIR` printed first."""
    path = stream.next().data.decode()
    assert PATH.fullmatch(path), path
    return Path(path)


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """A job's directory."""
    folder = tmp_path / "job"
    folder.mkdir()
    return folder


@pytest.fixture
def short(job: Path) -> Iterator[Path]:
    """The folder for this job's temporary files."""
    path = temporary_folder.make(str(job), {})
    yield Path(path)
    remove(path, 20)


def test_each_job_has_a_private_folder_that_is_removed_at_its_end(gateway: Gateway) -> None:
    verbs = ["shell echo $TMPDIR", "shell echo $CLAUDE_CODE_TMPDIR; touch $TMPDIR/left"]
    streams = [gateway.chat(*verbs, "silent") for _ in range(2)]
    folders = [folder_of(stream) for stream in streams]
    assert folders[0] != folders[1]
    for stream, folder in zip(streams, folders, strict=True):
        assert [stream.next().data for _ in range(2)] == [b"exit 0", str(folder).encode()]
        found = folder.stat()
        assert (stat.S_IMODE(found.st_mode), found.st_uid) == (0o700, os.geteuid())
        gateway.ask("DELETE", f"/chat/{stream.job_id}")
        # What takes longer than a moment is removed after the end.
        eventually(lambda folder=folder: not folder.exists())  # type: ignore[misc]


def test_the_path_is_short_enough_for_the_clis_sockets(short: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        (short / "cc-socks").mkdir()
        listener.bind(str(short / "cc-socks/4194304.sock"))
    assert remove(str(short), 5)


def test_an_operators_short_folder_is_used_and_a_long_or_missing_one_is_not(
    job: Path, tmp_path: Path
) -> None:
    def base_of(environment: dict[bytes, bytes]) -> str:
        path = temporary_folder.make(str(job), environment)
        assert temporary_folder.remove_for_run(str(job), 5)
        assert not Path(path).exists()
        return str(Path(path).parent)

    long = tmp_path / ("x" * 60)
    long.mkdir()
    # The folder that is everybody's.
    shared, other = "/tmp", "/var/tmp"  # noqa: S108
    assert base_of({b"TMPDIR": b"/nowhere"}) == shared
    assert base_of({b"TMPDIR": os.fsencode(long)}) == shared
    assert base_of({b"TMPDIR": b"relative"}) == shared
    assert base_of({b"TMPDIR": f"{other}/".encode()}) == other
    assert base_of({b"TMPDIR": shared.encode(), b"CLAUDE_CODE_TMPDIR": other.encode()}) == other


def test_a_folder_that_cannot_be_made_leaves_no_record(
    job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(temporary_folder, "_bases", lambda _: iter([f"{job}/none"]))
    with pytest.raises(FileNotFoundError):
        temporary_folder.make(str(job), {})
    assert not list(job.iterdir())


HOSTILE = {
    "deep": 'python3 -c \'import os\nfor _ in range(1200): os.mkdir("d"); os.chdir("d")\'',
    "without rights": "mkdir -p a/b/c; touch a/b/c/f; chmod 0 a/b/c a/b a .",
    "links": 'ln -s "$HOME" home; ln -s / root; mkdir a; ln -s "$HOME/kept" a/kept',
    "others": "mkfifo p; mkdir -p a/b; mkfifo a/b/p",
    "odd names": "mkdir -p ./-rf '*' \"$(printf 'a\\nb\\377')\"; touch ./-rf/-x",
    "itself a link": 'cd /; rmdir "$T"; ln -s "$HOME" "$T"',
    "itself a file": 'cd /; rmdir "$T"; touch "$T"',
    "itself gone": 'cd /; rmdir "$T"',
    "many": "mkdir m; cd m; seq 3000 | xargs touch; cd ..; seq 600 | xargs mkdir",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_jobs_files_are_removed_and_nothing_else(
    kind: str, job: Path, short: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    kept.write_text("kept")
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.defpath}",
        "HOME": str(tmp_path),
        "T": str(short),
    }
    subprocess.run(["sh", "-ec", HOSTILE[kind]], cwd=short, env=environment, check=True)
    assert temporary_folder.remove_for_run(str(job), 20)
    assert not os.path.lexists(short)
    assert kept.read_text() == "kept"
    assert not (job / "temporary").is_symlink()


def test_a_record_that_names_another_folder_removes_nothing(job: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for target in (str(other), "/", "cc2-0123456789ab", f"{other}/cc2-0123456789ab/../../other"):
        (job / "temporary").symlink_to(target)
        assert temporary_folder.remove_for_run(str(job), 5)
        assert not (job / "temporary").is_symlink()
    assert other.is_dir()
    (job / "temporary").mkdir()
    assert temporary_folder.remove_for_run(str(job), 5)


def test_the_time_of_a_removal_is_limited(short: Path) -> None:
    for number in range(600):
        (short / str(number)).touch()
    assert not remove(str(short), 0.0)
    assert any(short.iterdir())
    assert remove(str(short), 20)


def test_files_that_were_not_removed_in_time_are_removed_later(
    job: Path, short: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    (state / "runs").mkdir(parents=True)
    job.rename(state / "runs/run")
    temporary_folder.remove_for_exited_runs(str(state))
    assert short.exists()
    (state / "runs/run/exited").touch()
    temporary_folder.remove_for_exited_runs(str(state))
    assert not short.exists()


def test_a_job_that_leaves_much_ends_and_the_rest_is_removed(gateway: Gateway) -> None:
    many = "cd $TMPDIR && for d in $(seq 3); do mkdir $d; (cd $d; seq 2000 | xargs touch); done"
    stream = gateway.chat("shell echo $TMPDIR", f"shell {many}", "result ok")
    folder = folder_of(stream)
    assert stream.done()["status"] == "succeeded"
    eventually(lambda: not folder.exists())


def test_the_folder_of_a_job_whose_supervisor_was_killed_is_removed(gateway: Gateway) -> None:
    stream = gateway.chat("shell echo $TMPDIR", "silent")
    folder = folder_of(stream)
    os.kill(gateway.processes_of(stream.job_id).supervisor.pid, signal.SIGKILL)
    assert stream.done()["status"] == "lost"
    eventually(lambda: not folder.exists())


def test_the_next_start_removes_the_folders_that_a_crash_left(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway()
    stream = gateway.chat("shell echo $TMPDIR", "silent")
    folder = folder_of(stream)
    running = gateway.processes_of(stream.job_id)
    assert gateway.process is not None
    kill_all(gateway.process.pid, *gateway.workers(), gateway.launcher())
    kill_all(running.supervisor.pid, running.cli.pid)
    gateway.process.wait()
    assert folder.is_dir()
    gateway.start()
    eventually(lambda: not folder.exists())


def test_a_start_waits_for_a_cli_that_an_update_replaces(
    start_gateway: Callable[..., Gateway], fake_claude: Path, tmp_path: Path
) -> None:
    claude = tmp_path / "claude"
    claude.write_bytes(fake_claude.read_bytes())
    claude.chmod(0o755)
    gateway = start_gateway(claude)
    away = claude.rename(tmp_path / "away")
    with subprocess.Popen(["sh", "-c", f"sleep 0.5; mv {away} {claude}"]):
        assert gateway.chat("result ok").done()["status"] == "succeeded"
    gateway.chat("result ok").done()
    eventually(lambda: gateway.ask("GET", "/stats").json()["retried_starts"] == 1)
    counted = "claudecode2api_retried_starts_total 1.0"
    eventually(lambda: counted in gateway.ask("GET", "/metrics").text)
