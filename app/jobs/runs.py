"""The runs that users see and can end: processes of the CLI, busy or kept for a session."""

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from gevent import get_hub
from gevent.event import Event

from app import audit, processes
from app.auth.users import User, Users
from app.errors import JobNotFound, RunNotEnded, RunNotFound
from app.jobs.service import JobService
from app.jobs.store import Spool
from app.records import kept_run
from app.records.job import Job
from app.records.kept_run import KeptRun
from app.records.run import Run
from app.runs.end_processes import KILL_PATIENCE
from app.runs.wake_supervisor import wake

#: The states of a run.
STATES = ("starting", "busy", "idle", "held", "spare")

# Seconds that an idle run has to end, beyond KILL_GRACE.
_END_PATIENCE = 10.0


class _Found(NamedTuple):
    """A run: its record if it is kept, and the job that it serves now; a spare has no user yet."""

    id: str
    user: str
    kept: KeptRun | None
    job: Job | None


class Runs:
    """The runs of one state folder, as one worker sees them."""

    def __init__(self, jobs: JobService, spool: Spool, users: Users, kill_grace: float) -> None:
        self._jobs = jobs
        self._spool = spool
        self._users = users
        self._patience = kill_grace + KILL_PATIENCE + _END_PATIENCE

    def rows(self, user: User) -> list[dict[str, Any]]:
        """The runs that this user may see, as `GET /runs` shows them, in any order."""
        return [self._row(each) for each in self._all() if _may_see(user, each)]

    def row_of(self, run_id: str, job: Job | None = None) -> tuple[str, dict[str, Any]]:
        """The row of one run, whose `state` is `ended` if it is gone, and the id of its user.

        The user is "" if there was none. `job` is one that it serves or has served, if that is
        known.
        """
        found = self._one(run_id, job)
        if found is not None:
            return found.user, self._row(found)
        # The prepared run of a job has its id.
        request = (job or Job(self._spool.state, run_id)).request()
        user = request.user if request else ""
        row = self._row(_Found(run_id, user, None, None))
        return user, row | {"state": "ended", "memory_bytes": None}

    def _one(self, run_id: str, job: Job | None) -> _Found | None:
        """A run, without a look at all of them if that can be avoided; None if it has ended."""
        request = None if job is None or job.has_ended() else job.request()
        serves = job if request else None
        kept = kept_run.read(self._spool.state, run_id)
        if kept is not None and processes.identify(kept.supervisor.pid) == kept.supervisor:
            return _Found(run_id, kept.user, kept, serves)
        if request is not None:
            return _Found(run_id, request.user, None, serves)
        # A job may have claimed a spare, whose id is not that of a job.
        is_spare = job is None and not Job(self._spool.state, run_id).exists()
        return self._look(run_id) if is_spare else None

    def count(self) -> dict[str, int]:
        """How many runs are in each state."""
        counts = Counter(_state_of(each) for each in self._all())
        return {state: counts[state] for state in STATES}

    def end(self, run_id: str, user: User) -> None:
        """End a run for this user, with the job that it serves; returns once it has ended.

        Raises RunNotFound, RunNotEnded and JobNotEnded.
        """
        if self._find(run_id, user).job is None:
            audit.run_ended(run_id, user.name)
        with _Watch(f"{self._spool.state}/{kept_run.FOLDER}/{run_id}") as watch:
            deadline = time.monotonic() + self._patience
            # It may have ended before the watch began.
            while (found := self._look(run_id)) is not None:
                if found.job is not None:
                    self._cancel(found.job, user)
                elif found.kept is not None:
                    Run(self._spool.state, run_id).ask_to_close()
                    wake(found.kept.supervisor)
                    if not watch.wait(deadline - time.monotonic()):
                        raise RunNotEnded

    def _cancel(self, job: Job, user: User) -> None:
        try:
            self._jobs.cancel(job.id, user)
        except JobNotFound:
            # It has ended by itself.
            return

    def _find(self, run_id: str, user: User) -> _Found:
        found = self._look(run_id)
        if found is None or not _may_see(user, found):
            raise RunNotFound(run_id)
        return found

    def _look(self, run_id: str) -> _Found | None:
        return next((each for each in self._all() if each.id == run_id), None)

    def _all(self) -> Iterator[_Found]:
        served: dict[str, tuple[Job, str]] = {}
        for job in self._spool.living():
            claim, request = job.claimed_by(), job.request()
            if claim is not None and claim.role == "supervisor" and request is not None:
                self._spool.close_if_dead(job)
                if job.end() is None:
                    served[claim.run] = (job, request.user)
        for kept in kept_run.kept_runs(self._spool.state):
            if processes.identify(kept.supervisor.pid) == kept.supervisor:
                if kept.state == "spare" and kept.id in served:
                    # A job is claiming it.
                    continue
                serves = served.pop(kept.id, None)
                yield _Found(kept.id, kept.user, kept, serves and serves[0])
        for run_id, (job, user) in served.items():
            yield _Found(run_id, user, None, job)

    def _row(self, found: _Found) -> dict[str, Any]:
        kept, job = found.kept, found.job
        request = None if job is None else job.request()
        running = Run(self._spool.state, found.id).running()
        session = request and request.session_id
        if kept is not None:
            session = kept.session
        elif job is not None:
            session = job.read_session() or session
        is_spare = not found.user
        return {
            "run_id": found.id,
            "state": _state_of(found),
            "session_id": session or None,
            "cwd": None if is_spare else kept.cwd if kept else request and request.cwd,
            "model": kept.model if kept else request and request.model,
            "user": None if is_spare else self._users.name_of(found.user),
            "process_id": job and job.id,
            "jobs": kept.jobs if kept else 1,
            "idle_since": kept and kept.idle_since,
            "memory_bytes": processes.memory_of(running.cli.pid) if running else None,
            "own_turns": kept.own_turns if kept else 0,
            "own_cost_usd": kept.own_cost if kept else 0.0,
        }


def _may_see(user: User, found: _Found) -> bool:
    return user.may_see(found.user) if found.user else user.is_operator


def _state_of(found: _Found) -> str:
    if found.job is None:
        return "idle" if found.kept is None else found.kept.state
    return "busy" if found.kept is not None or found.job.run.was_started() else "starting"


class _Watch:
    """Waits for a change of a file, or for its removal. A context manager."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._event = Event()

    def __enter__(self) -> "_Watch":
        self._watcher = get_hub().loop.stat(self._path)
        self._watcher.start(self._event.set)
        return self

    def __exit__(self, *_: object) -> None:
        self._watcher.stop()
        self._watcher.close()

    def wait(self, seconds: float) -> bool:
        """Wait so long for a change; returns whether there was one."""
        woken = self._event.wait(max(0.0, seconds))
        self._event.clear()
        return bool(woken)
