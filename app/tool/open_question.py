"""Looking up the question that a line of a job's output asks, if it is still open."""

import time
from typing import Any

from app.tool.client import Client
from app.tool.question import Question
from app.tool.stream import when_back

#: Seconds until a question that stands in the output must be in the gateway's list: the
#: supervisor reads the output, too, on a busy machine seconds later.
LIST_PATIENCE = 10.0
_PAUSE = 0.05


def open_questions(client: Client, job_id: str) -> list[dict[str, Any]]:
    """The open questions of a job, as the gateway lists them. Raises Failure."""
    rows: list[dict[str, Any]] = client.ask("GET", f"/jobs/{job_id}/questions")["questions"]
    return rows


def open_question(
    client: Client, job_id: str, question_id: str, patience: float = LIST_PATIENCE
) -> Question | None:
    """The question, or None if it is not listed within `patience` seconds. Raises Failure."""
    deadline = time.monotonic() + patience
    while True:
        for row in when_back(lambda: open_questions(client, job_id)):
            if row.get("question_id") == question_id:
                return Question.of(row)
        if time.monotonic() > deadline:
            return None
        time.sleep(_PAUSE)
