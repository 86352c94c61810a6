"""Dead jobs: how they are detected, and closed as lost."""

import errno
import os
from pathlib import Path
from uuid import uuid4

import pytest

from app import processes
from app.jobs.store import Spool
from app.processes import Process
from app.records import kept_run
from app.records.kept_run import KeptRun
from app.records.run import Running
from app.runs.close_lost import close_kept, close_lost
from app.runs.detect_dead import is_dead
from tests.support.hostile import create_job


def test_a_job_is_not_dead_while_its_processes_cannot_be_looked_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spool = Spool(tmp_path)
    spool.prepare()
    job = create_job(spool)
    job.run.set_running(
        Running(processes.this_process(), processes.this_process(), processes.boot_id())
    )
    assert not is_dead(job)
    looked = os.open

    def no_descriptor(path: object, *arguments: object, **named: object) -> int:
        if str(path).startswith("/proc/"):
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return looked(path, *arguments, **named)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", no_descriptor)
        for look in (
            lambda: is_dead(job),
            lambda: processes.identify(os.getpid()),
            lambda: processes.open_process(processes.child(os.getppid())),
            lambda: processes.descendants(1),
        ):
            with pytest.raises(OSError, match="Too many open files"):
                look()
    assert not is_dead(job)


def test_a_claimed_job_is_dead_when_its_claimer_is_whatever_a_clock_says(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.prepare()
    job = create_job(spool, Process(1 << 30, 1))
    job.claim("supervisor")
    # The file system's clock may be far behind.
    os.utime(job.claim_link, (0, 0), follow_symlinks=False)
    assert not is_dead(job)
    Path(job.claim_link).unlink()
    Path(job.claim_link).symlink_to(f"supervisor {1 << 30} 1 {processes.boot_id()} {job.id} 0")
    assert is_dead(job)
    assert close_lost(job)
    assert job.end() is not None


def test_a_job_whose_end_is_damaged_is_closed_as_lost(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.prepare()
    for damage in ("", "{", "[]", '{"status": 5, "ended_at": 7}', '{"status": "fine"}'):
        job = create_job(spool)
        job.claim("supervisor")
        Path(job.path, "ended").write_text(damage, encoding="utf-8")
        assert is_dead(job)
        assert close_lost(job)
        ended = job.end()
        assert ended is not None
        assert ended.status == "lost"


def test_an_interrupt_is_taken_once_and_replaces_no_cancellation(
    tmp_path: Path,
) -> None:
    spool = Spool(tmp_path)
    spool.prepare()
    job = create_job(spool)
    job.ask("interrupt")
    assert job.take_interrupt()
    assert not job.take_interrupt()
    job.ask("interrupt")
    job.ask("cancel")
    job.ask("interrupt")
    assert job.is_to_be_cancelled()
    assert not job.take_interrupt()


def test_what_a_dead_supervisor_has_written_of_a_kept_run_is_removed(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.prepare()
    dead = Process(1 << 30, 1)
    job, other = create_job(spool, dead), create_job(spool)
    Path(job.claim_link).symlink_to(f"supervisor {1 << 30} 1 {processes.boot_id()} {job.id} 0")
    lost = KeptRun(str(uuid4()), dead, "idle", "", "/", None, "admin", 1, None, 0)
    folder = tmp_path / kept_run.FOLDER
    for run_id in (job.id, lost.id, other.id):
        kept_run.write(spool.state, lost._replace(id=run_id))
        # It was killed before the rename.
        (folder / f"{run_id}.4711.12345").write_text("{", encoding="utf-8")
    assert close_lost(job)
    close_kept(spool.state, lost)
    assert {each.name.partition(".")[0] for each in folder.iterdir()} == {other.id}
