"""A job's folder: records are whole, an end wakes the readers, and ids cannot be paths."""

import json
import os
import stat
import threading
import time
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.jobs.store import Spool
from app.processes import Process, this_process
from app.records.claim import Claim
from app.records.job import Job
from app.records.job_records import JobEnd, JobRequest
from app.records.run import RunStart
from app.timestamps import now

ENDED = JobEnd(
    status="cancelled",
    ended_at="2026-01-01T00:00:00.000Z",
    exit_code=None,
    signal="SIGKILL",
    stop_signal="SIGKILL",
    killed=3,
    session_id="s1",
    result={"is_error": True, "total_cost_usd": 0.25, "usage": {"input_tokens": 1}},
    result_at=[10, 20],
    error=None,
)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """An empty spool."""
    found = Spool(tmp_path / "state")
    found.prepare()
    return found


def a_job(job_id: str) -> JobRequest:
    return JobRequest(
        id=job_id,
        cwd="/srv/ä\u2028",
        model=None,
        session_id="s0",
        started_at="2026-01-01T00:00:00.000Z",
        user="müller",
        starter=Process(7, 70),
    )


START = RunStart("/srv/ä\u2028", ["--print", {"flag": "--settings", "file": "settings.0"}], 1.5)


def create(spool: Spool) -> Job:
    """A job's folder as the gateway makes it."""
    job = spool.job(str(uuid4()))
    assert job is not None
    job.create(a_job(job.id), START, b"message\n", {"settings.0": b"{}"})
    return job


def mode_of(path: str | Path) -> int:
    return stat.S_IMODE(Path(path).stat().st_mode)


def ids(spool: Spool) -> set[str]:
    return {job.id for job in spool.living()}


def test_the_folders_are_for_this_user_only_and_may_exist_already(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "deep" / "state")
    spool.prepare()
    spool.prepare()
    for folder in ("", "jobs", "runs", "live", "unlogged"):
        assert mode_of(tmp_path / "deep" / "state" / folder) == 0o700


def test_a_state_folder_that_cannot_be_created_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(OSError, match=r"File exists|Not a directory"):
        Spool(tmp_path / "state").prepare()


def test_the_request_is_read_back(spool: Spool) -> None:
    job = create(spool)
    request = job.request()
    assert request == a_job(job.id)._replace(run=job.id)
    assert request is not None
    assert isinstance(request.starter, Process)
    assert job.run.start() == START
    assert Path(job.message).read_bytes() == b"message\n"
    assert Path(job.output).read_bytes() == b""
    assert Path(job.output).samefile(job.run.output)
    assert Path(job.run.path, "settings.0").read_bytes() == b"{}"


def test_no_other_user_can_read_the_request(spool: Spool) -> None:
    job = create(spool)
    for folder in (job.path, job.run.path):
        assert mode_of(folder) == 0o700
        assert {mode_of(file) for file in Path(folder).iterdir()} == {0o600}


def test_a_new_job_is_live_and_not_claimed(spool: Spool) -> None:
    job = create(spool)
    assert ids(spool) == {job.id}
    assert job.run.running() is None
    assert job.end() is None
    assert job.links.is_live()
    assert job.claimed_by() is None
    assert job.wish() is None
    assert job.read_stderr(10) == b""
    assert job.read_session() is None


def test_a_folder_is_made_once(spool: Spool) -> None:
    job = create(spool)
    with pytest.raises(FileExistsError):
        job.create(a_job(job.id), START, b"other", {})
    assert Path(job.message).read_bytes() == b"message\n"


def test_a_long_message_is_written_to_its_last_byte(spool: Spool) -> None:
    job = Job(spool.state, str(uuid4()))
    long = os.urandom(5 << 20)
    job.create(a_job(job.id), START, long, {"settings.0": long})
    assert Path(job.message).read_bytes() == long
    assert Path(job.run.path, "settings.0").read_bytes() == long


def test_a_job_that_was_never_created_does_not_exist(spool: Spool) -> None:
    job = Job(spool.state, str(uuid4()))
    assert job.request() is None
    assert job.run.running() is None
    assert job.run.start() is None
    assert job.end() is None
    assert job.read_stderr(10) == b""
    assert job.claimed_by() is None
    spool.remove(job)


def test_the_end_is_read_back_as_it_was_written(spool: Spool) -> None:
    job = create(spool)
    job.write_end(ENDED)
    assert job.end() == ENDED


@given(
    st.one_of(st.none(), st.text()),
    st.dictionaries(st.text(), st.one_of(st.none(), st.booleans(), st.integers(), st.text())),
)
def test_any_end_is_read_back(session: str | None, result: dict[str, object]) -> None:
    ended = JobEnd("failed", now(), 1, session_id=session, result=result, error=session)
    assert JobEnd(**json.loads(json.dumps(ended._asdict()))) == ended


def test_an_ended_job_is_not_live_and_its_output_is_unchanged(spool: Spool) -> None:
    job = create(spool)
    other = create(spool)
    Path(job.output).write_bytes(b"line\n")
    job.write_end(ENDED)
    assert ids(spool) == {other.id}
    assert Path(job.output).read_bytes() == b"line\n"
    assert job.request() is not None


def test_finishing_a_job_may_be_repeated(spool: Spool) -> None:
    job = create(spool)
    job.write_end(ENDED)
    job.finish()
    job.write_end(ENDED)
    assert job.end() == ENDED
    assert not job.links.is_live()


def test_a_job_whose_end_was_written_twice_is_not_live(spool: Spool) -> None:
    job = create(spool)
    job.write_end(ENDED)
    # As a supervisor does when it mends what looks damaged.
    os.link(f"{job.path}/job.json", job.links.live)
    job.write_end(ENDED)
    assert ids(spool) == set()
    assert job.links.take_unlogged()


def test_readers_are_woken_last_of_all(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    job = create(spool)
    woken_beside: list[JobEnd | None] = []
    chmod = os.chmod

    def ring(path: str, mode: int) -> None:
        woken_beside.append(job.end())
        assert ids(spool) == set()
        chmod(path, mode)

    monkeypatch.setattr(os, "chmod", ring)
    job.write_end(ENDED)
    assert woken_beside == [ENDED]


def test_a_reader_sees_all_of_a_record_or_none(spool: Spool) -> None:
    job = create(spool)
    done = threading.Event()
    seen: list[JobEnd | None] = []

    def read() -> None:
        while not done.is_set():
            seen.append(job.end())

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    records = [JobEnd("failed", now(), 1, error="x" * size) for size in (0, 10, 100_000) * 10]
    for record in records:
        job.write_end(record)
    done.set()
    reader.join(10)
    assert all(record is None or record in records for record in seen)


def test_writing_a_record_leaves_no_temporary_file(spool: Spool) -> None:
    job = create(spool)
    job.ask("cancel")
    job.ask("cancel")
    job.write_end(ENDED)
    assert {file.name for file in Path(job.path).iterdir()} == {
        "job.json",
        "message",
        "output",
        "wish",
        "ended",
    }


@pytest.mark.parametrize("ended", [False, True])
def test_removing_leaves_no_trace(ended: bool, spool: Spool) -> None:
    job = create(spool)
    kept = create(spool)
    if ended:
        job.write_end(ENDED)
    spool.remove(job)
    spool.remove(job)
    assert not Path(job.path).exists()
    assert not Path(job.run.path).exists()
    assert Path(kept.run.path).exists()
    assert job.request() is None
    assert ids(spool) == {kept.id}
    assert kept.request() is not None


def test_a_job_is_to_be_cancelled_once_a_client_has_asked(spool: Spool) -> None:
    job, other = create(spool), create(spool)
    assert not job.is_to_be_cancelled()
    job.ask("cancel")
    job.ask("cancel")
    assert job.is_to_be_cancelled()
    assert not other.is_to_be_cancelled()


@pytest.mark.parametrize(
    ("written", "limit", "read"),
    [(b"", 5, b""), (b"abc", 5, b"abc"), (b"abcdefgh", 5, b"defgh"), (b"\xff\0x", 2, b"\0x")],
)
def test_the_last_bytes_of_standard_error_are_read(
    written: bytes, limit: int, read: bytes, spool: Spool
) -> None:
    job = create(spool)
    Path(job.run.stderr).write_bytes(written)
    assert job.read_stderr(limit) == read


def test_a_claim_names_its_process_and_is_made_once(spool: Spool) -> None:
    job = create(spool)
    assert not job.is_claimed()
    job.claim("supervisor")
    assert job.is_claimed()
    assert job.claimed_by() == Claim("supervisor", this_process(), job.id)
    with pytest.raises(FileExistsError):
        job.claim("closer")


def test_a_claim_of_another_boot_or_a_damaged_one_names_no_process(spool: Spool) -> None:
    for text in (
        "supervisor 1 2 another-boot run 0",
        "x",
        "supervisor one 2 boot run 0",
        "/etc/passwd",
    ):
        job = create(spool)
        Path(job.claim_link).symlink_to(text)
        assert job.is_claimed()
        assert job.claimed_by() is None


def test_the_session_is_read_from_the_output(spool: Spool) -> None:
    job = create(spool)
    Path(job.output).write_bytes(b'{"type":"system","session_id":"s9"}\n')
    assert job.read_session() == "s9"


@pytest.mark.parametrize(
    "job_id",
    [
        "",
        ".",
        "..",
        "../jobs",
        "/etc/passwd",
        "live",
        "x",
        "6ba7b810-9dad-11d1-80b4-00c04fd430c8\n",
        " 6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "6ba7b810-9dad-11d1-80b4-00c04fd430c8/..",
        "6ba7b810-9dad-11d1-80b4-00c04fd430c8\0",
        "6BA7B810-9DAD-11D1-80B4-00C04FD430C8",
        "6ba7b8109dad11d180b400c04fd430c8",
        "{6ba7b810-9dad-11d1-80b4-00c04fd430c8}",
        "urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "6ba7b810-9dad-11d1-80b4-00c04fd430c",
        "6ba7b810-9dad-11d1-80b4-00c04fd430cg",
        "٦ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "6ba7b810_9dad_11d1_80b4_00c04fd430c8",
        "\ud800" * 36,
    ],
)
def test_a_malformed_id_has_no_folder(job_id: str, spool: Spool) -> None:
    assert spool.job(job_id) is None


@given(st.uuids())
def test_a_uuid_in_its_usual_spelling_has_a_folder(job_id: UUID) -> None:
    job = Spool(Path("/state")).job(str(job_id))
    assert job is not None
    assert job.path == f"/state/jobs/{job_id}"


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=40))
def test_no_id_leads_out_of_the_folder(text: str) -> None:
    job = Spool(Path("/state")).job(text)
    assert job is None or Path(job.path).parent == Path("/state/jobs")


def test_only_jobs_whose_end_is_old_are_due_for_removal(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.prepare()
    ages = {str(uuid4()): age for age in (None, 100, 10)}
    for name, age in ages.items():
        (tmp_path / "jobs" / name).mkdir()
        if age is not None:
            ended = tmp_path / "jobs" / name / "ended"
            ended.touch()
            os.utime(ended, (time.time() - age, time.time() - age))
    due = [job.id for job in spool.ended_before(time.time() - 50)]
    assert [ages[job_id] for job_id in due] == [100]
