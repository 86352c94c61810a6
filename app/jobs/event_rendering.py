"""The events of the journal as server-sent events, made of the records as they are now."""

import logging
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from app import sse
from app.auth.users import User
from app.errors import JobNotFound
from app.jobs.job_list import JobList
from app.jobs.questions import Questions, render_question
from app.jobs.runs import Runs
from app.jobs.store import Spool
from app.records.inbox import is_item_id
from app.records.job import Job
from app.records.job_id import is_job_id
from app.server.hub_yield import yield_to_hub

log = logging.getLogger(__name__)

# Items between two pauses in which other greenlets run.
_PORTION = 10


class Rendered(NamedTuple):
    """An event, and the id of the user it is about: "" for the operator's, None for everyone's."""

    owner: str | None
    frame: bytes

    def is_for(self, user: User) -> bool:
        """Whether this user may see the event."""
        if not self.owner:
            return self.owner is None or user.is_operator
        return user.may_see(self.owner)


class EventRendering:
    """Renders events for any user."""

    def __init__(self, spool: Spool, jobs: JobList, questions: Questions, runs: Runs) -> None:
        self._state = spool.state
        self._jobs = jobs
        self._questions = questions
        self._runs = runs

    def render(self, lines: Sequence[str]) -> list[Rendered]:
        """The events for some lines of the journal; each thing that has changed is there once."""
        rendered: list[Rendered] = []
        for number, (kind, item) in enumerate(_changes(lines)):
            if number % _PORTION == _PORTION - 1:
                yield_to_hub()
            try:
                rendered += self._render(kind, item)
            except (JobNotFound, OSError):
                # It was removed meanwhile.
                continue
            except Exception as error:
                # A job may have written anything into its records.
                log.error("cannot show the event of %s: %s", item, type(error).__name__)
        return rendered

    def _render(self, kind: str, item: str) -> Iterator[Rendered]:
        if kind == "run":
            owner, row = self._runs.row_of(item)
            yield Rendered(owner, sse.event("run", row))
            return
        job_id, _, question_id = item.partition(".")
        job = Job(self._state, job_id)
        request = job.request()
        if request is None:
            return
        if kind == "job":
            row = self._jobs.row(job)
            yield Rendered(request.user, sse.event("job", row))
            if row["run_id"] is not None and row["backend"] == "cli":
                owner, run = self._runs.row_of(row["run_id"], job)
                yield Rendered(owner, sse.event("run", run))
            return
        found = self._questions.one(job, question_id)
        if found is None:
            return
        question, closed = found
        if closed is None and kind == "asked":
            yield Rendered(request.user, sse.event("question", render_question(question)))
        else:
            data = {
                "question_id": question_id,
                "process_id": job_id,
                # Without an answer, its job is ending.
                "behavior": closed.behavior if closed else "cancelled",
                "user": closed and closed.user,
            }
            yield Rendered(request.user, sse.event("question_closed", data))


def _changes(lines: Sequence[str]) -> list[tuple[str, str]]:
    """What has changed, in the order of the last changes; a job may have written any line.

    >>> job = "0b4a2a4e-7a4b-4c35-9d36-6f2c2b8e1b11"
    >>> _changes([f"job {job}", "rubbish", f"asked {job}.q1"]) == [
    ...     ("asked", f"{job}.q1"), ("job", job)]
    True
    """
    found: dict[tuple[str, str], None] = {}

    def add(kind: str, item: str) -> None:
        found.pop((kind, item), None)
        found[kind, item] = None

    for line in lines:
        kind, _, item = line.partition(" ")
        job_id, _, question_id = item.partition(".")
        if not is_job_id(job_id):
            continue
        if kind in ("job", "run") and not question_id:
            add(kind, item)
        elif kind in ("asked", "closed") and is_item_id(question_id):
            found.pop(("asked", item), None)
            add(kind, item)
            add("job", job_id)
    return list(found)
