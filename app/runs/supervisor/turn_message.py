"""The message of a turn, with the conversation before it if the session does not have that.

The CLI takes the conversation in one message of the user after the other: it must acknowledge each
before the next is sent, or it asks the model nothing (2.1.330). Answers of the model need no
acknowledgement. Standard library alone, because the supervisor imports this.
"""

import os
from contextlib import suppress
from typing import BinaryIO

from app.cli import control
from app.records.inbox import SETTLED
from app.records.job import Job
from app.records.job_id import new_uuid
from app.runs.supervisor.talking_run import TalkingRun
from app.state import files


class TurnMessage:
    """Sends a job's message to the CLI of a run."""

    def __init__(self, run: TalkingRun, job: Job, held: str | None = None) -> None:
        self._run = run
        self._job = job
        #: Whether the turn of another message goes on, which has the id `held`.
        self.is_held = held is not None
        #: The id of the job's message, by which the CLI names it.
        self.id = held or new_uuid()
        self._history: BinaryIO | None = None
        self._message: int | None = None
        self._awaited: str | None = None
        #: Whether a conversation comes before the message; its acknowledgements are results, too.
        self.has_history = False

    def begin(self) -> None:
        """Send as much as the CLI may have before it acknowledges something. Raises OSError."""
        self._message = files.open_file(self._job.message)
        # It can be long, so it is not read here.
        os.lseek(self._message, len(control.MESSAGE_HEAD), os.SEEK_SET)
        with suppress(FileNotFoundError):
            # Closed by `withdraw`.
            self._history = open(files.open_file(self._job.history), "rb")  # noqa: SIM115
            self.has_history = True
        self._send_next()

    @property
    def is_pending(self) -> bool:
        """Whether the message itself has not been sent yet."""
        return self._message is not None

    def on_lifecycle(self, message_id: str, state: str) -> bool:
        """Go on if the CLI acknowledges a message of the history; returns whether it was one."""
        if message_id != self._awaited:
            return False
        if state in SETTLED:
            self._send_next()
        return True

    def withdraw(self) -> None:
        """Send nothing more."""
        if self._history is not None:
            self._history.close()
        if self._message is not None:
            os.close(self._message)
        self._history = self._message = self._awaited = None

    def _send_next(self) -> None:
        self._awaited = None
        for line in self._history or ():
            if not line.startswith(control.MESSAGE_HEAD):
                self._run.say(line)
                continue
            self._awaited = new_uuid()
            self._run.say(control.history_head(self._awaited), line[len(control.MESSAGE_HEAD) :])
            return
        if self._message is not None:
            # The writer closes it.
            message, self._message = self._message, None
            self._run.say(control.turn_head(self.id), message)
        self.withdraw()
