"""`claudecode2api logs`: show the output of a job."""

import argparse
import time

from app.text import shortened
from app.tool.checkout import Checkout
from app.tool.client import Client, client_of
from app.tool.events import Event
from app.tool.find_job import SHOWN, find_job_id
from app.tool.open_question import LIST_PATIENCE, open_question
from app.tool.question import asked_in
from app.tool.screen import Screen, Shown
from app.tool.stream import JobStream
from app.tool.tool_calls import summary

#: Seconds of silence after which all output of a running job so far has arrived: the gateway
#: sends it without a pause.
CAUGHT_UP = 1.0
#: Characters of a question that are shown.
_LONGEST = 100


def logs(checkout: Checkout, arguments: argparse.Namespace) -> int:
    """Show a job's output. With --follow, returns the exit status for the job's end."""
    client = client_of(checkout, arguments.url)
    job_id = find_job_id(client, arguments.id)
    silence = None if arguments.follow else CAUGHT_UP
    screen = Screen(Shown.LINES if arguments.raw else Shown.TEXT)
    began = time.monotonic()
    with JobStream(client, job_id, screen.note, silence=silence) as stream:
        for event in stream:
            # A question from before is in the gateway's list, or answered.
            is_new = time.monotonic() - began > CAUGHT_UP
            _note_question(client, job_id, event, screen, LIST_PATIENCE if is_new else 0.0)
            status = screen.show(event)
            if status is not None:
                return status if arguments.follow else 0
    screen.note(f"the job is still running: claudecode2api logs --follow {job_id[:SHOWN]}")
    return 0


def _note_question(
    client: Client, job_id: str, event: Event, screen: Screen, patience: float
) -> None:
    """Say that the job waits for an answer, if the event is a question that is still open."""
    question_id = asked_in(event.data) if event.name == "message" else None
    if question_id is None:
        return
    question = open_question(client, job_id, question_id, patience)
    if question is not None:
        asked = shortened(summary(question.tool, question.input), _LONGEST)
        command = f"claudecode2api answer {job_id[:SHOWN]} {question.id[:SHOWN]} allow (or deny)"
        screen.note(f"the job waits for an answer to {asked}: {command}")
