"""A job's inbox: what clients send to a job that runs, through any worker, to its supervisor.

    STATE_DIR/jobs/<id>/inbox/message.<message id>   a message for the model
                              control.<request id>   a control request
                              answer.<question id>   the answer to a question, or why it is closed
                        questions/<question id>      a question of the CLI; by the supervisor
                        states/<message id>          a link that says what became of a message

Each file is written once, whole, under a name that only one process can take: so a question is
answered once, even if two clients answer at the same time, and no restart loses an answer. Before a
job ends, its supervisor renames `inbox` to `inbox.closed`: what comes later is refused, and nothing
that was accepted is lost. Standard library alone, because the supervisor imports this.
"""

import json
import os
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal, NamedTuple

from app.state import files, record_file

Kind = Literal["message", "control", "answer"]
MessageState = Literal["sent", "queued", "started", "completed", "cancelled", "discarded"]
#: The states of a message in which the CLI will do no more with it.
SETTLED = ("completed", "cancelled", "discarded")
_STATES = ("sent", "queued", "started", *SETTLED)
#: The shape of the ids of messages, requests and questions, which become names of files.
_UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


class InboxClosed(Exception):
    """The job has ended, or is ending: it takes nothing more."""


class Question(NamedTuple):
    """A question of the CLI, in `questions/<id>`: may this tool be used, with this input?

    `kind` is `tool`, `question` (AskUserQuestion) or `plan` (ExitPlanMode). Times are ISO 8601.
    """

    question_id: str
    kind: str
    tool_name: str
    input: dict[str, Any]
    description: str | None
    suggestions: list[Any]
    asked_at: str
    expires_at: str


class Answer(NamedTuple):
    """The answer to a question, in `answer.<id>`.

    `behavior` is `allow` or `deny`; or `cancelled` or `expired` if the supervisor closed it. `user`
    is the id of the user who answered. `rules` are the permission rules that hold for the run.
    """

    behavior: str
    at: str
    user: str | None = None
    message: str | None = None
    updated_input: dict[str, Any] | None = None
    rules: list[Any] = []  # noqa: RUF012 - of a named tuple


class Inbox:
    """The inbox of one job."""

    def __init__(self, job: str) -> None:
        """`job` is the path of the job's folder."""
        self._folder = f"{job}/inbox"
        self._closed = f"{job}/inbox.closed"
        self._questions = f"{job}/questions"
        self._states = f"{job}/states"

    def create(self) -> None:
        """Make the folders. Raises OSError."""
        for folder in (self._folder, self._questions, self._states):
            os.mkdir(folder, mode=0o700)

    def exists(self) -> bool:
        """Whether the job has an inbox, open or closed."""
        return files.is_folder(self._folder) or files.is_folder(self._closed)

    def put(self, kind: Kind, item_id: str, fields: Mapping[str, Any]) -> None:
        """Put an item into the inbox.

        Raises InboxClosed, FileExistsError if there is one with this id, and OSError.
        """
        # Another folder than the inbox, because a listing of that must show only whole files.
        temporary = f"{self._states}/.{kind}.{item_id}.{os.getpid()}.{time.monotonic_ns()}"
        try:
            files.write_file(temporary, json.dumps(fields).encode())
            os.link(temporary, self._path(kind, item_id))
        except (FileNotFoundError, NotADirectoryError):
            raise InboxClosed from None
        finally:
            files.discard(temporary)

    def names(self) -> list[tuple[str, str]]:
        """The items, as pairs of kind and id, in their order; empty if the inbox is closed."""
        return _names_in(self._folder)

    def read(self, kind: Kind, item_id: str) -> dict[str, Any] | None:
        """An item, also from a closed inbox; None if it is missing or damaged."""
        for folder in (self._folder, self._closed):
            fields = record_file.read_record(f"{folder}/{kind}.{item_id}")
            if fields is not None:
                return fields
        return None

    def status_of(self, kind: Kind, item_id: str) -> os.stat_result | None:
        """The status of an item's file; None if there is none."""
        for folder in (self._folder, self._closed):
            with suppress(OSError):
                return os.lstat(f"{folder}/{kind}.{item_id}")
        return None

    def close(self) -> None:
        """Take nothing more. `reopen_if_not_empty` undoes that."""
        try:
            os.rename(self._folder, self._closed)
        except FileNotFoundError:
            return
        except OSError:
            # A job has put something in its place.
            files.discard(self._closed)
            with suppress(OSError):
                os.rename(self._folder, self._closed)

    def left(self, handled: set[tuple[str, str]]) -> set[tuple[str, str]]:
        """The items of a closed inbox that were not handled."""
        try:
            names = os.listdir(self._closed)
        except OSError:
            return set()
        parts = (name.partition(".") for name in names)
        return {(kind, item_id) for kind, _, item_id in parts if is_item_id(item_id)} - handled

    def reopen_if_not_empty(self, handled: set[tuple[str, str]]) -> bool:
        """Open a closed inbox again if it has items that were not handled; returns whether so."""
        if not self.left(handled):
            return False
        try:
            os.rename(self._closed, self._folder)
        except OSError:
            # A job has put something in its place.
            return False
        return True

    def answer(self, question_id: str, answer: Answer) -> None:
        """Answer a question. Raises InboxClosed, FileExistsError if it has an answer, OSError."""
        self.put("answer", question_id, answer._asdict())

    def answer_to(self, question_id: str) -> Answer | None:
        """The answer to a question, if there is one."""
        for folder in (self._folder, self._closed):
            found = record_file.read_as(Answer, f"{folder}/answer.{question_id}")
            if found is not None:
                return found
        return None

    def ask(self, question: Question) -> None:
        """Write a question. Raises OSError."""
        record_file.write_record(f"{self._questions}/{question.question_id}", question._asdict())

    def question(self, question_id: str) -> Question | None:
        """The question with this id, or None."""
        if not is_item_id(question_id):
            return None
        return record_file.read_as(Question, f"{self._questions}/{question_id}")

    def questions(self) -> list[Question]:
        """All questions that the job has asked, answered ones too, in the order of their times."""
        try:
            names = os.listdir(self._questions)
        except OSError:
            return []
        found = [question for name in names if (question := self.question(name))]
        return sorted(found, key=lambda question: question.asked_at)

    def set_state(self, message_id: str, state: MessageState) -> None:
        """Write what became of a message. Raises OSError."""
        files.replace_link(f"{self._states}/{message_id}", state)

    def states(self) -> dict[str, str]:
        """What became of each message, by its id; `held` if the supervisor has not read it yet.

        In the order in which they came.
        """
        items = _names_in(self._folder) or _names_in(self._closed)
        # A job can put anything there; the ids of messages are made by workers.
        messages = [each for kind, each in items if kind == "message" and _UUID.fullmatch(each)]
        return {message_id: self._state(message_id) for message_id in messages}

    def _state(self, message_id: str) -> str:
        state = files.read_link(f"{self._states}/{message_id}")
        return state if state in _STATES else "held"

    def _path(self, kind: Kind, item_id: str) -> str:
        return f"{self._folder}/{kind}.{item_id}"


def is_item_id(text: str) -> bool:
    """Whether this can be the id of an item: nothing that could name another path."""
    return _ID.fullmatch(text) is not None


def _names_in(folder: str) -> list[tuple[str, str]]:
    """The items in a folder, as pairs of kind and id, in the order in which they were written."""
    try:
        with os.scandir(folder) as entries:
            found = sorted(
                (each.stat(follow_symlinks=False).st_mtime_ns, each.name) for each in entries
            )
    except OSError:
        return []
    parts = (name.partition(".") for _, name in found)
    return [(kind, item_id) for kind, _, item_id in parts if is_item_id(item_id)]
