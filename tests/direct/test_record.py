"""The record of a job of the direct backend, without a gateway."""

import errno
import os
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import gevent
import pytest

from app.direct.answer_reader import read_message
from app.direct.record import Recorder
from app.jobs.service import JobService
from app.records.job import Job
from app.records.job_records import JobRequest
from app.timestamps import now


class Logged:
    """Notes the jobs whose ends are logged."""

    def __init__(self) -> None:
        self.jobs: list[str] = []

    def log_end(self, job: Job) -> None:
        """Note a job."""
        self.jobs.append(job.id)


def test_an_end_for_which_there_is_no_room_is_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged = Logged()
    recorder = Recorder(cast(JobService, logged))
    job = Job(str(tmp_path), str(uuid4()))
    for folder in ("jobs", "live", "unlogged", "unindexed"):
        (tmp_path / folder).mkdir()
    request = JobRequest(job.id, "", "claude-x", None, now(), "admin", recorder.process)
    claim = recorder.create(job, request)
    pwrite, written = os.pwrite, 0

    def full(descriptor: int, data: bytes, offset: int) -> int:
        nonlocal written
        if offset or written > 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written += 1
        return pwrite(descriptor, data[:5], offset)

    monkeypatch.setattr("app.direct.record._PAUSE", 0.01)
    monkeypatch.setattr("os.pwrite", full)
    answer: Any = {"content": [{"type": "text", "text": "hi"}], "usage": {"input_tokens": 1}}
    recorder.end(job, request, claim, read_message(answer), None, None)
    gevent.sleep(0.05)
    assert job.end() is None and logged.jobs == []
    monkeypatch.undo()
    with gevent.Timeout(10):
        while job.end() is None:
            gevent.sleep(0.01)
    end = job.end()
    assert end is not None and end.status == "succeeded"
    assert Path(job.output).read_bytes().count(b'{"type":"result"') == 1
    assert logged.jobs == [job.id]
