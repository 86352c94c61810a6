"""`claudecode2api questions`: list the questions of jobs that need an answer."""

import argparse
import sys
from datetime import UTC, datetime

from app.text import shortened
from app.tool.checkout import Checkout
from app.tool.client import client_of
from app.tool.find_job import SHOWN, find_job_id
from app.tool.question import Question
from app.tool.screen import note, print_json
from app.tool.table import age, ago, cell, table
from app.tool.tool_calls import summary

_HEAD = ("JOB", "QUESTION", "KIND", "EXPIRES", "TOOL")
#: Characters of a tool's input that are shown.
_LONGEST = 100


def questions(checkout: Checkout, arguments: argparse.Namespace) -> int:
    """List the open questions of one job, or of all."""
    client = client_of(checkout, arguments.url)
    path = f"/jobs/{find_job_id(client, arguments.id)}/questions" if arguments.id else "/questions"
    rows = client.ask("GET", path)["questions"]
    if arguments.json:
        print_json({"questions": rows})
    elif rows:
        now = datetime.now(UTC)
        sys.stdout.write(table([_HEAD, *(_cells(Question.of(row), now) for row in rows)]))
    else:
        note("no question needs an answer")
    return 0


def _cells(question: Question, now: datetime) -> tuple[str, ...]:
    expires = f"in {ago(-age(question.expires_at, now))}" if question.expires_at else "-"
    return tuple(
        cell(text)
        for text in (
            question.job_id[:SHOWN],
            question.id[:SHOWN],
            question.kind,
            expires,
            shortened(summary(question.tool, question.input), _LONGEST),
        )
    )
