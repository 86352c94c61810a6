"""The reader of a job's inbox: it passes on to the CLI what clients send to the job.

Standard library alone, because the supervisor imports this.
"""

import time
from contextlib import suppress
from typing import Any

from app.cli import control
from app.records.inbox import SETTLED, Inbox, MessageState
from app.records.job import Job
from app.runs.supervisor.open_questions import OpenQuestions
from app.runs.supervisor.talking_run import TalkingRun

#: Seconds that the CLI has to acknowledge a message.
ACKNOWLEDGE_PATIENCE = 10.0


class InboxReader:
    """Reads the inbox of one job, and follows what becomes of its messages."""

    def __init__(self, run: TalkingRun, job: Job, questions: OpenQuestions) -> None:
        self._run = run
        self._inbox = Inbox(job.path)
        self._questions = questions
        self._handled: set[tuple[str, str]] = set()
        #: Until when to wait for each message that the CLI has not settled yet.
        self._sent: dict[str, float] = {}
        self._is_open = False
        #: Whether a client has asked for something after which the run must serve no other job.
        self.spoils_run = False

    @property
    def is_waiting(self) -> bool:
        """Whether a message was sent that the CLI has not settled."""
        moment = time.monotonic()
        return any(until > moment for until in self._sent.values())

    def open(self) -> None:
        """The turn has begun: pass on what was held until now.

        The CLI would take a message before the turn's own, which has the lowest priority.
        """
        self._is_open = True
        self.read()

    def read(self) -> None:
        """Pass on what is new, once the turn has begun."""
        if not self._is_open:
            return
        for kind, item_id in self._inbox.names():
            if (kind, item_id) in self._handled:
                continue
            self._handled.add((kind, item_id))
            if kind == "answer":
                self._questions.on_answer(item_id)
                continue
            fields = self._inbox.read("message" if kind == "message" else "control", item_id)
            if fields is None:
                continue
            if kind == "message":
                self._send_message(item_id, fields)
            elif kind == "control":
                self.spoils_run = self.spoils_run or fields.get("spoils") is True
                self._run.say(control.client_request(item_id, _request(fields)))

    def on_lifecycle(self, message_id: str, state: str) -> None:
        """Note what the CLI says of a message."""
        if message_id not in self._sent:
            return
        self._sent[message_id] = float("inf")
        if state in SETTLED:
            del self._sent[message_id]
        if state in ("queued", "started", "completed", "cancelled", "discarded"):
            self._set_state(message_id, state)  # type: ignore[arg-type]

    def close(self) -> bool:
        """Take nothing more; returns False if something came in at the last moment."""
        self._inbox.close()
        if not self._inbox.reopen_if_not_empty(self._handled):
            return True
        self.open()
        return False

    def stop(self) -> None:
        """Take nothing more and pass on nothing more: the job is being ended."""
        self._is_open = False
        self._inbox.close()

    def discard_rest(self) -> bool:
        """Nothing becomes of the messages that the CLI has not settled; returns whether any is."""
        unread = self._inbox.left(self._handled)
        has_messages = bool(self._sent) or any(kind == "message" for kind, _ in unread)
        for message_id in self._sent:
            self._set_state(message_id, "discarded")
        self._sent.clear()
        return has_messages

    def _send_message(self, message_id: str, fields: dict[str, Any]) -> None:
        content = fields.get("content")
        if not isinstance(content, str | list):
            return
        line = control.message(content, uuid=message_id, priority="next", client_composed=True)
        self._run.say(line)
        self._sent[message_id] = time.monotonic() + ACKNOWLEDGE_PATIENCE
        self._set_state(message_id, "sent")

    def _set_state(self, message_id: str, state: MessageState) -> None:
        with suppress(OSError):
            # On a full disk, the record shows an earlier state.
            self._inbox.set_state(message_id, state)


def _request(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a control request; `subtype` is text."""
    inner = fields.get("request")
    request = dict(inner) if isinstance(inner, dict) else {}
    return {**request, "subtype": str(request.get("subtype"))}
