"""The end of a run that ends by itself at the same moment."""

import time
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest

from app import processes
from app.auth.users import User
from app.jobs import runs as runs_of_users
from app.jobs.runs import Runs
from app.jobs.store import Spool
from app.records import kept_run
from app.records.kept_run import KeptRun


def test_a_run_that_ends_before_it_is_watched_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path)
    spool.prepare()
    run_id = str(uuid4())
    supervisor = processes.this_process()
    kept = KeptRun(run_id, supervisor, "idle", "s", "/", None, "admin", 1, None, 0)
    kept_run.write(str(tmp_path), kept)

    def ends_meanwhile(*_: object) -> None:
        kept_run.remove(str(tmp_path), run_id)

    monkeypatch.setattr(runs_of_users.audit, "run_ended", ends_meanwhile)
    # No job is served, and no name is shown.
    unused = cast(Any, None)
    before = time.monotonic()
    Runs(unused, spool, unused, kill_grace=60.0).end(run_id, User("admin", "admin", True))
    assert time.monotonic() - before < 30
