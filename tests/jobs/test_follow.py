"""The followers of a job's output."""

from pathlib import Path
from uuid import uuid4

from app.jobs.follow import Watch
from app.jobs.store import Spool
from app.records.run import Run, RunStart
from tests.support.hostile import create_job


def test_a_reader_follows_a_job_from_a_kept_run_back_to_its_own(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.prepare()
    job, kept = create_job(spool), Run(spool.state, str(uuid4()))
    kept.create(RunStart("/", [], 1.0), {})
    Path(kept.output).write_bytes(b"of another job\n")
    claim = job.claim("supervisor", kept)
    job.show(kept)
    with Watch(job, lambda _: None) as watch:
        assert watch.span_start() is None
        # The kept run did not begin the job.
        job.move_to(job.prepared, claim)
        Path(job.prepared.output).write_bytes(b"of this job\n")
        assert watch.span_start() == 0
        assert watch.read(0) == b"of this job\n"
