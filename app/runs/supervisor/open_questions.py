"""The questions of a CLI that have no answer yet: may this tool be used?

Every request of the CLI gets an answer, or the turn would wait for ever: from a client if the job
asks (`ask`), else a denial. A question is a file in the job's folder, so that any worker shows it,
and it outlives everything but its supervisor. Standard library alone, because the supervisor
imports this.
"""

import time
from typing import Any

from app.cli import control
from app.records import question_list
from app.records.inbox import Answer, Inbox, InboxClosed, Question, is_item_id
from app.runs.supervisor.job_watch import JobWatch
from app.runs.supervisor.talking_run import TalkingRun
from app.timestamps import at, now

#: What the model reads if no client may be asked, or if none has answered.
NOT_ASKED = "This job does not ask: the tool is not allowed"
EXPIRED = "No one has answered in time: the tool is not allowed"

_KINDS = {"AskUserQuestion": "question", "ExitPlanMode": "plan"}


class OpenQuestions:
    """The open questions of one job."""

    def __init__(self, run: TalkingRun, job: JobWatch) -> None:
        self._run = run
        self._job = job.job
        self._request = job.request
        self._inbox = Inbox(job.job.path)
        #: When each open question expires, by the monotonic clock, by its id.
        self._open: dict[str, float] = {}
        #: What each is about: the tool's input.
        self._inputs: dict[str, dict[str, Any]] = {}

    @property
    def are_open(self) -> bool:
        """Whether a question is open."""
        return bool(self._open)

    def on_request(self, fields: dict[str, Any]) -> None:
        """Ask a client, or answer at once what no client is asked."""
        request_id, asked = str(fields.get("request_id")), fields.get("request")
        is_question = isinstance(asked, dict) and asked.get("subtype") == "can_use_tool"
        if not isinstance(asked, dict) or not (
            is_question and self._request.ask and is_item_id(request_id)
        ):
            refuse(self._run, fields)
            return
        patience = self._request.ask_timeout
        given = asked.get("input")
        question = Question(
            question_id=request_id,
            kind=_KINDS.get(str(asked.get("tool_name")), "tool"),
            tool_name=str(asked.get("tool_name")),
            input=given if isinstance(given, dict) else {},
            description=_text(asked.get("description")),
            suggestions=_list(asked.get("permission_suggestions")),
            asked_at=now(),
            expires_at=at(time.time() + patience),
        )
        try:
            self._inbox.ask(question)
            question_list.add(self._job.state, self._job.id, request_id)
        except OSError:
            # The disk is full.
            self._run.say(control.denial(request_id, EXPIRED))
            return
        self._open[request_id] = time.monotonic() + patience
        self._inputs[request_id] = question.input

    def on_answer(self, question_id: str) -> None:
        """Send a client's answer to the CLI, if the question is open."""
        answer = self._inbox.answer_to(question_id)
        if answer is None or question_id not in self._open:
            return
        given = self._inputs[question_id]
        self._forget(question_id)
        if answer.behavior == "allow":
            response: dict[str, Any] = {
                "behavior": "allow",
                "updatedInput": given if answer.updated_input is None else answer.updated_input,
            }
            if answer.rules:
                response["updatedPermissions"] = answer.rules
                self._run.has_rules = True
            self._run.say(control.response(question_id, response))
        else:
            self._run.say(control.denial(question_id, answer.message or "The user denied this"))

    def withdraw(self, question_id: str) -> None:
        """Close a question that the CLI needs no answer to any more."""
        if question_id in self._open:
            self._close(question_id, "cancelled")

    def expire(self) -> None:
        """Deny what no client has answered in time."""
        moment = time.monotonic()
        for question_id in [key for key, until in self._open.items() if until <= moment]:
            if self._close(question_id, "expired"):
                self._run.say(control.denial(question_id, EXPIRED))

    def close_all(self, how: str) -> None:
        """Close all questions, because the job ends."""
        for question_id in list(self._open):
            self._close(question_id, how)

    def patience(self) -> float:
        """Seconds until the next question expires."""
        return max(0.0, min(self._open.values(), default=float("inf")) - time.monotonic())

    def _close(self, question_id: str, how: str) -> bool:
        """Take the place of an answer; False if a client was faster, whose answer counts then."""
        try:
            self._inbox.answer(question_id, Answer(how, now()))
        except FileExistsError:
            self.on_answer(question_id)
            if question_id not in self._open:
                return False
            # A job has damaged the answer.
        except (InboxClosed, OSError):
            # The job is ending, or the disk is full.
            pass
        self._forget(question_id)
        return True

    def _forget(self, question_id: str) -> None:
        """The question is not open any more."""
        del self._open[question_id], self._inputs[question_id]
        question_list.remove(self._job.state, self._job.id, question_id)


def refuse(run: TalkingRun, fields: dict[str, Any]) -> None:
    """Answer a request of the CLI that no client is asked."""
    request_id, asked = str(fields.get("request_id")), fields.get("request")
    if isinstance(asked, dict) and asked.get("subtype") == "can_use_tool":
        run.say(control.denial(request_id, NOT_ASKED))
    else:
        run.say(control.refusal(request_id, "The gateway does not support this request"))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
