"""The answers to a running job's questions, asked at the terminal."""

from app.tool.client import Client
from app.tool.dialog import Dialog
from app.tool.events import Event
from app.tool.failure import Failure, RequestRefused
from app.tool.open_question import open_question, open_questions
from app.tool.question import Question, asked_in
from app.tool.screen import Screen
from app.tool.stream import when_back
from app.tool.terminal import Terminal, Withdrawn

_CLOSED = ("already_answered", "question_closed", "process_not_found", "question_not_found")


class Asker:
    """Asks each question of one job that appears in its stream.

    Meanwhile the stream is not read: a job's output waits for its readers.
    """

    def __init__(self, client: Client, job_id: str, terminal: Terminal, screen: Screen) -> None:
        self._client = client
        self._job_id = job_id
        self._terminal = terminal
        self._screen = screen

    def see(self, event: Event) -> None:
        """Ask the question that this event shows, if it is one that is still open."""
        question_id = asked_in(event.data) if event.name == "message" else None
        if question_id is None:
            return
        question = open_question(self._client, self._job_id, question_id)
        if question is None:
            self._screen.note(
                "a question of Claude was answered elsewhere, or needs no answer any more"
            )
            return
        self._screen.end_line()
        while not self._ask(question):
            continue

    def _ask(self, question: Question) -> bool:
        """Ask, and send the answer. Returns False if the gateway takes no such answer."""
        try:
            answer = Dialog(self._terminal, question, lambda: self._is_open(question.id)).ask()
            path = f"/jobs/{self._job_id}/questions/{question.id}"
            when_back(lambda: self._client.ask("POST", path, json=answer))
        except Withdrawn:
            self._screen.note("the question was answered elsewhere, or needs no answer any more")
        except RequestRefused as error:
            if error.code not in _CLOSED:
                self._screen.note(str(error))
                return False
            self._screen.note(error.detail)
        return True

    def _is_open(self, question_id: str) -> bool:
        try:
            return any(
                row.get("question_id") == question_id
                for row in open_questions(self._client, self._job_id)
            )
        except RequestRefused as error:
            return error.code != "process_not_found"
        except Failure:
            # It can be answered when the gateway is back.
            return True
