"""The open questions of jobs, and the answers of users; knows gevent.

libev's stat watcher wakes a worker that waits for a question: the file that it watches grows with
each question (`app.records.question_list`).
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from gevent import get_hub
from gevent.event import Event

from app import audit
from app.auth.users import User, Users
from app.errors import AlreadyAnswered, DiskFull, QuestionClosed, QuestionNotFound
from app.jobs.service import JobService
from app.jobs.store import Spool
from app.jobs.talk import wake
from app.records import question_list
from app.records.inbox import Answer, Inbox, InboxClosed, Question
from app.records.job import Job
from app.state.disk import is_out_of_room
from app.text import shortened

#: The answers of users; others close a question.
ANSWERS = ("allow", "deny")

# Seconds after which a waiting worker looks although nothing has woken it.
_LOOK_INTERVAL = 15.0
_CLOSED = {"cancelled": "it was withdrawn", "expired": "it has expired, and was denied"}


class OpenQuestion(NamedTuple):
    """A question that has no answer yet, and its job's id."""

    job_id: str
    question: Question


class Closed(NamedTuple):
    """How a question was closed.

    `behavior` is that of the answer, or `expired`, `cancelled` or `lost`. `user` is the name of the
    user who answered. `remembered`: what was allowed holds for the run.
    """

    behavior: str
    user: str | None
    at: str
    message: str | None
    answers: dict[str, Any] | None
    remembered: bool


class Questions:
    """The questions of one state folder's jobs, as one worker sees them."""

    def __init__(self, jobs: JobService, spool: Spool, users: Users) -> None:
        self._jobs = jobs
        self._spool = spool
        self._users = users

    def of_job(self, job_id: str, user: User) -> list[OpenQuestion]:
        """The open questions of one job, the oldest first. Raises JobNotFound."""
        job = self._jobs.find(job_id, user)
        self._spool.close_if_dead(job)
        inbox = Inbox(job.path)
        return [
            OpenQuestion(job_id, question)
            for question in inbox.questions()
            if _is_open(job, inbox, question)
        ]

    def all_of_job(self, job_id: str, user: User) -> list[tuple[OpenQuestion, Closed | None]]:
        """All questions of one job, the oldest first; None for one that is open.

        Raises JobNotFound.
        """
        job = self._jobs.find(job_id, user)
        self._spool.close_if_dead(job)
        inbox = Inbox(job.path)
        return [
            (OpenQuestion(job_id, question), self._closed(job, inbox, question))
            for question in inbox.questions()
        ]

    def one(self, job: Job, question_id: str) -> tuple[OpenQuestion, Closed | None] | None:
        """A question of a job, and how it was closed, if it was; None if there is no such one."""
        inbox = Inbox(job.path)
        question = inbox.question(question_id)
        if question is None:
            return None
        return OpenQuestion(job.id, question), self._closed(job, inbox, question)

    def _closed(self, job: Job, inbox: Inbox, question: Question) -> Closed | None:
        given, end = inbox.answer_to(question.question_id), job.end()
        if given is None:
            how = "lost" if end is not None and end.status == "lost" else "cancelled"
            return None if end is None else Closed(how, None, end.ended_at, None, None, False)
        answers = (given.updated_input or {}).get("answers")
        return Closed(
            given.behavior,
            None if given.user is None else self._users.name_of(shortened(given.user)),
            given.at,
            given.message,
            answers if question.kind == "question" and isinstance(answers, dict) else None,
            bool(given.rules),
        )

    def open_for(self, user: User | None) -> list[OpenQuestion]:
        """The open questions of all jobs that this user may see, the oldest first.

        Without a user, those of all jobs.
        """
        found = []
        for job_id, question_id in question_list.listed(self._spool.state):
            job = Job(self._spool.state, job_id)
            self._spool.close_if_dead(job)
            inbox = Inbox(job.path)
            question = inbox.question(question_id)
            if question is None or not _is_open(job, inbox, question):
                if not job.links.is_live():
                    # Its supervisor was killed.
                    question_list.remove(self._spool.state, job_id, question_id)
                continue
            request = job.request()
            if user is None or (request is not None and user.may_see(request.user)):
                found.append(OpenQuestion(job_id, question))
        return sorted(found, key=lambda each: each.question.asked_at)

    def question(self, job_id: str, question_id: str, user: User) -> Question:
        """An open question of a job.

        Raises JobNotFound, QuestionNotFound, AlreadyAnswered and QuestionClosed.
        """
        job = self._jobs.find(job_id, user)
        self._spool.close_if_dead(job)
        question = Inbox(job.path).question(question_id)
        if question is None:
            raise QuestionNotFound(question_id)
        self._refuse_closed(job, question_id)
        return question

    def answer(self, job_id: str, question_id: str, user: User, answer: Answer) -> None:
        """Answer a question for this user. Raises what `question` raises, and DiskFull."""
        self.question(job_id, question_id, user)
        job = self._jobs.find(job_id, user)
        try:
            Inbox(job.path).answer(question_id, answer)
        except FileExistsError:
            # Another client was faster, or the supervisor has closed it.
            self._refuse_closed(job, question_id)
            raise QuestionClosed("its answer is damaged") from None
        except InboxClosed:
            # The answer of another client may have ended the job.
            self._refuse_closed(job, question_id)
            raise QuestionClosed("its job has ended") from None
        except OSError as error:
            if is_out_of_room(error):
                raise DiskFull from None
            raise
        remembered = ", for the run" if answer.rules else ""
        what = f"an answer to the question {question_id}: {answer.behavior}{remembered}"
        audit.sent(job.id, user.name, what)
        wake(job)

    def _refuse_closed(self, job: Job, question_id: str) -> None:
        """Raises AlreadyAnswered, QuestionClosed."""
        given = Inbox(job.path).answer_to(question_id)
        if given is not None and given.behavior in ANSWERS:
            name = self._users.name_of(given.user or "")
            raise AlreadyAnswered(given.behavior, name, given.at)
        if given is not None:
            raise QuestionClosed(_CLOSED.get(given.behavior, given.behavior))
        if job.end() is not None:
            raise QuestionClosed("its job has ended")

    @contextmanager
    def wait(self) -> Iterator["QuestionWait"]:
        """A wait for changes of the list; the stop of the JobService ends it."""
        with QuestionWait(self._spool.state) as waiting, self._jobs.ends_at_stop(waiting):
            yield waiting


class QuestionWait:
    """Waits for changes of the list of open questions. A context manager.

    No change after entry is missed; some wake-ups may be spurious.
    """

    def __init__(self, state: str) -> None:
        self._state = state
        self._event = Event()
        self.stopped_by: str | None = None

    def __enter__(self) -> "QuestionWait":
        self._watcher = get_hub().loop.stat(question_list.watched_file(self._state))
        self._watcher.start(self._event.set)
        return self

    def __exit__(self, *_: object) -> None:
        self._watcher.stop()
        self._watcher.close()

    def stop(self, reason: str) -> None:
        """End the wait early; the first reason is kept in `stopped_by`."""
        self.stopped_by = self.stopped_by or reason
        self._event.set()

    def until(self, deadline: float) -> bool:
        """Wait for a change until this moment of the monotonic clock.

        Returns False if it has passed, or if the wait was stopped.
        """
        left = deadline - time.monotonic()
        if left <= 0 or self.stopped_by:
            return False
        self._event.wait(min(left, _LOOK_INTERVAL))
        self._event.clear()
        return self.stopped_by is None


def _is_open(job: Job, inbox: Inbox, question: Question) -> bool:
    return inbox.answer_to(question.question_id) is None and job.end() is None


def render_question(found: OpenQuestion) -> dict[str, Any]:
    """A question, as `GET /questions` shows it."""
    question = found.question
    return {
        "question_id": question.question_id,
        "process_id": found.job_id,
        "kind": question.kind,
        "tool_name": question.tool_name,
        "input": question.input,
        "description": question.description,
        "suggestions": question.suggestions,
        "asked_at": question.asked_at,
        "expires_at": question.expires_at,
    }
