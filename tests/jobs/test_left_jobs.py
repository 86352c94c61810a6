"""The jobs whose clients have left, and that no worker looks after any more."""

import os
import time
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest

from app.jobs.left_jobs import MARGIN, LeftJobs
from app.jobs.service import JobService
from app.records.job import Job


class Abandoned:
    """Notes the jobs that are abandoned."""

    def __init__(self) -> None:
        self.jobs: list[str] = []

    def abandon(self, job: Job) -> None:
        """Note a job."""
        self.jobs.append(job.id)


@pytest.mark.parametrize(("age", "is_forgotten"), [(3.0, False), (5 + MARGIN + 1, True)])
def test_a_job_is_cancelled_if_its_worker_has_ended_before(
    tmp_path: Path, age: float, is_forgotten: bool
) -> None:
    abandoned, job = Abandoned(), str(uuid4())
    left = LeftJobs(str(tmp_path), cast(JobService, abandoned), 5)
    left.cancel_forgotten()
    (tmp_path / "left").mkdir()
    written = tmp_path / "left" / f"digest.{job}"
    written.touch()
    # What another job may put there.
    (tmp_path / "left" / "digest.x").touch()
    (tmp_path / "left" / f"folder.{uuid4()}").mkdir()
    moment = time.time() - age
    os.utime(written, (moment, moment))
    left.cancel_forgotten()
    assert abandoned.jobs == [job] * is_forgotten
    assert written.exists() is not is_forgotten


def test_a_job_is_cancelled_at_once_if_its_client_cannot_be_noted(tmp_path: Path) -> None:
    abandoned: Any = Abandoned()
    job = Job(str(tmp_path), str(uuid4()))
    LeftJobs(str(tmp_path / "gone" / "state"), abandoned, 5).leave(job, "digest")
    LeftJobs(str(tmp_path), abandoned, 0).leave(job, "digest")
    assert abandoned.jobs == [job.id] * 2
