"""The answers to a running job's questions, asked at the terminal."""

import time
from typing import Any

from app.tool.client import Client
from app.tool.dialog import Dialog
from app.tool.events import Event
from app.tool.failure import Failure, RequestRefused
from app.tool.question import Question, asked_in
from app.tool.screen import Screen
from app.tool.stream import when_back
from app.tool.terminal import Terminal, Withdrawn

#: Seconds until a question that stands in the output must be in the gateway's list: the
#: supervisor reads the output, too.
LIST_PATIENCE = 2.0
_PAUSE = 0.05

_CLOSED = ("already_answered", "question_closed", "process_not_found", "question_not_found")


class Asker:
    """Asks each question of one job that appears in its stream.

    Meanwhile the stream is not read: a job's output waits for its readers.
    """

    def __init__(self, client: Client, job_id: str, terminal: Terminal, screen: Screen) -> None:
        self._client = client
        self._path = f"/jobs/{job_id}/questions"
        self._terminal = terminal
        self._screen = screen

    def see(self, event: Event) -> None:
        """Ask the question that this event shows, if it is one that is still open."""
        question_id = asked_in(event.data) if event.name == "message" else None
        if question_id is None:
            return
        question = self._await(question_id)
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
            when_back(lambda: self._client.ask("POST", f"{self._path}/{question.id}", json=answer))
        except Withdrawn:
            self._screen.note("the question was answered elsewhere, or needs no answer any more")
        except RequestRefused as error:
            if error.code not in _CLOSED:
                self._screen.note(str(error))
                return False
            self._screen.note(error.detail)
        return True

    def _await(self, question_id: str) -> Question | None:
        deadline = time.monotonic() + LIST_PATIENCE
        while True:
            for row in when_back(self._rows):
                if row.get("question_id") == question_id:
                    return Question.of(row)
            if time.monotonic() > deadline:
                return None
            time.sleep(_PAUSE)

    def _is_open(self, question_id: str) -> bool:
        try:
            return any(row.get("question_id") == question_id for row in self._rows())
        except RequestRefused as error:
            return error.code != "process_not_found"
        except Failure:
            # It can be answered when the gateway is back.
            return True

    def _rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._client.ask("GET", self._path)["questions"]
        return rows
