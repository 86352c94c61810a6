"""A session with a kept run that a test crashes, and the checks of each of its turns."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests

from app.records import kept_run
from app.records.job import Job
from app.records.kept_run import KeptRun
from tests.support.gateway import PATIENCE, Gateway, Stream, eventually
from tests.support.listener import Listener
from tests.support.talk import ASK
from tests.support.turn_phases import PHASES, PhaseWatch

#: What the client of a gateway that crashes sees.
_BROKEN = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)


class Turn:
    """One turn: what was sent, and what came back."""

    def __init__(self, column: str) -> None:
        self.token = uuid4().hex
        self.column = column
        self.listener: Listener | None = None
        self.done: dict[str, Any] = {}
        #: What a client got for a message and for an answer: a status, 0 for no response.
        self.said: int | None = None
        self.answered: int | None = None

    @property
    def message(self) -> str:
        """What the note of the client's message says."""
        return f"said-{self.token}"

    def verbs(self, notes: Path) -> list[str]:
        """The prompt."""
        middle = {
            "idle": [],
            "busy": [f"chatter 1 0.01\nline {n}" for n in range(6)],
            "asking": [ASK],
        }
        verbs = [f"note {notes} {self.token}", f"line begun-{self.token}", *middle[self.column]]
        return [*verbs, f"line end-{self.token}"]


class Session:
    """A session whose run is kept. Each has a thread of the test."""

    def __init__(self, gateway: Gateway, column: str, seed: str) -> None:
        self.gateway = gateway
        self.column = column
        self.id = str(uuid4())
        self.random = random.Random(seed)  # noqa: S311 - repeatable
        self.notes = gateway.folder / f"notes-{self.id}"
        #: The record of its idle run, before the crash.
        self.kept: KeptRun
        self.turn: Turn
        self._is_new = True
        #: Where the crash came, for the message of a failure.
        self.story: list[str] = []

    def crashed_turn(
        self, phase: str, crash: Callable[["Session", Job], object], crashed: threading.Event
    ) -> None:
        """A turn with a crash at this phase of it; checked by `check`.

        An open question is answered after the crash, if the crash does not wait for the answer.
        """
        turn = self.turn = Turn(self.column)
        jitter = self.random.uniform(0, PHASES[self.column][phase])
        self.story.append(f"{phase}+{jitter:.4f} in {turn.token}")
        watch = PhaseWatch(str(self.gateway.state), turn.token, phase, jitter, partial(crash, self))
        watch.start()
        stream = self._post(turn)
        watch.job_id = stream.job_id
        turn.listener = Listener(self.gateway, stream)
        if self.column == "busy":
            turn.said = self._say(turn)
        if self.column == "asking":
            if phase in ("question", "open"):
                assert crashed.wait(PATIENCE)
            turn.answered = self._answer(turn)
        self._finish(turn)
        watch.join()
        assert watch.error is None, (self.story, watch.error)

    def next_turn(self) -> None:
        """A turn after which the run is idle."""
        turn = self.turn = Turn("idle")
        turn.listener = Listener(self.gateway, self._post(turn))
        self._finish(turn)
        self.check({"succeeded"})

    def check(self, statuses: set[str]) -> None:
        """Check the last turn: nothing is lost or doubled, and its end is true."""
        turn, about = self.turn, (self.column, self.story, self.turn.done)
        assert turn.listener is not None
        *messages, last = turn.listener.events
        assert last.name == "done", about
        status = turn.done["status"]
        assert status in statuses, about
        lines = [event.data for event in messages]
        printed, is_whole = self._printed(turn.listener.job_id)
        assert lines == printed, (about, lines[-3:], printed[-3:])
        if not is_whole:
            # The disk was full, and the CLI exited: 120 if Python could not write the rest either.
            assert turn.done["exit_code"] in (1, 120), about
            lines.pop()
        noted = Counter(self._noted())
        expected = [line.encode() for verb in turn.verbs(self.notes) for line in _lines(verb)]
        scripted = [line for line in lines if not line.startswith(b"{")]
        kinds = Counter(json.loads(line).get("type") for line in lines if line.startswith(b"{"))
        assert not kinds["answered again"], about
        if status == "succeeded":
            assert scripted == expected, (about, scripted)
            assert noted[turn.token] == 1, about
            assert kinds["result"] >= 1, about
            assert kinds["answered"] == (turn.column == "asking"), about
        else:
            # A part of it, from its beginning on.
            assert scripted == expected[: len(scripted)], (about, scripted)
            assert noted[turn.token] <= 1, about
            assert kinds["answered"] <= 1, about
        if turn.said == 202 and status == "succeeded":
            assert noted[turn.message] == 1, about
        else:
            assert noted[turn.message] <= (turn.said in (0, 202)), (about, turn.said)

    def _post(self, turn: Turn) -> Stream:
        body = {
            "prompt": "\n".join(turn.verbs(self.notes)),
            "cwd": str(self.gateway.project),
            "keep_alive": 60,
            "ask": True,
            "title": turn.token,
            "new_session_id" if self._is_new else "session_id": self.id,
        }
        headers = {"Idempotency-Key": turn.token}
        deadline = time.monotonic() + PATIENCE
        while True:
            assert time.monotonic() < deadline, self.story
            try:
                response = self.gateway.ask(
                    "POST", "/chat", json=body, headers=headers, stream=True
                )
            except _BROKEN:
                time.sleep(0.02)
                continue
            if response.status_code == 200:
                self._is_new = False
                return self.gateway.opened(response)
            assert response.status_code in (503, 507), (self.story, response.text)
            self.story.append(response.text)
            time.sleep(0.05)

    def _say(self, turn: Turn) -> int:
        assert turn.listener is not None
        path = f"/jobs/{turn.listener.job_id}/messages"
        body = {"text": f"note {self.notes} {turn.message}"}
        try:
            response = self.gateway.ask("POST", path, json=body)
        except _BROKEN:
            # Sent once only: it is unknown whether it was accepted.
            return 0
        assert response.status_code in (202, 409, 503, 507), (self.story, response.text)
        return response.status_code

    def _answer(self, turn: Turn) -> int | None:
        """Answer the question, again and again until there is a response."""
        assert turn.listener is not None
        job = Job(str(self.gateway.state), turn.listener.job_id)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and turn.listener.is_alive():
            try:
                found = self.gateway.ask("GET", f"/jobs/{job.id}/questions").json()["questions"]
                if found:
                    path = f"/jobs/{job.id}/questions/{found[0]['question_id']}"
                    response = self.gateway.ask("POST", path, json={"behavior": "allow"})
                    if response.status_code in (200, 409):
                        return response.status_code
                    assert response.status_code in (503, 507), (self.story, response.text)
            except _BROKEN:
                pass
            time.sleep(0.01)
        return None

    def _finish(self, turn: Turn) -> None:
        assert turn.listener is not None
        # All workers may start anew.
        turn.listener.join(2 * PATIENCE)
        assert not turn.listener.is_alive(), (self.story, turn.listener.job_id)
        turn.done = json.loads(turn.listener.events[-1].data)

    def _printed(self, job_id: str) -> tuple[list[bytes], bool]:
        """The job's part of the output of its run; and whether its last line has its end."""
        job = Job(str(self.gateway.state), job_id)
        end = job.end()
        assert end is not None
        output = Path(job.output).read_bytes()[end.span_start : end.span_end]
        lines = output.removesuffix(b"\n").split(b"\n") if output else []
        return lines, output[-1:] in (b"", b"\n")

    def _noted(self) -> list[str]:
        return self.notes.read_text().split() if self.notes.exists() else []


def await_idle(sessions: list[Session]) -> None:
    """Wait until the runs of these sessions are idle."""
    state = str(sessions[0].gateway.state)
    wanted = {session.id for session in sessions}

    def are_idle() -> bool:
        return wanted == {run.session for run in kept_run.kept_runs(state) if run.state == "idle"}

    eventually(are_idle)


def kept_of(session: Session) -> KeptRun:
    """The record of the run that is kept for a session."""
    state = str(session.gateway.state)
    return next(run for run in kept_run.kept_runs(state) if run.session == session.id)


def _lines(verb: str) -> list[str]:
    """What verbs print."""
    found = []
    for each in verb.split("\n"):
        if each.startswith("chatter"):
            found.append("line 0")
        elif each.startswith("line"):
            found.append(each.removeprefix("line "))
    return found
