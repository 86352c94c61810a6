"""`claudecode2api answer`: answer a question of a job."""

import argparse
import sys
from typing import Any

from app.tool.checkout import Checkout
from app.tool.client import client_of
from app.tool.dialog import chosen_answer
from app.tool.failure import MISUSED, Failure
from app.tool.find_job import find_job_id
from app.tool.question import Question


def answer(checkout: Checkout, arguments: argparse.Namespace) -> int:
    """Allow or deny what a question asks for."""
    client = client_of(checkout, arguments.url)
    job_id = find_job_id(client, arguments.id)
    path = f"/jobs/{job_id}/questions"
    rows = client.ask("GET", path)["questions"]
    question = _find(arguments.question, job_id, [Question.of(row) for row in rows])
    client.ask("POST", f"{path}/{question.id}", json=_body(question, arguments))
    done = "allowed" if arguments.behavior == "allow" else "denied"
    sys.stdout.write(f"{done} question {question.id} of job {job_id}\n")
    return 0


def _find(beginning: str, job_id: str, questions: list[Question]) -> Question:
    found = [each for each in questions if beginning and each.id.startswith(beginning)]
    if not found:
        raise Failure(
            f"cannot find question {beginning!r} of job {job_id}: it was answered, or needs no"
            " answer any more; see claudecode2api questions"
        )
    if len(found) > 1:
        ids = ", ".join(each.id for each in found[:5])
        raise Failure(f"question id {beginning!r} is ambiguous; type more of it: {ids}")
    return found[0]


def _body(question: Question, arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.behavior == "deny":
        if arguments.remember or arguments.choose:
            raise Failure("cannot deny with --remember or --choose: use them to allow", MISUSED)
        message = arguments.message
        return {"behavior": "deny", **({"message": message} if message else {})}
    if arguments.message:
        raise Failure("cannot allow with --message: the model reads it after a denial", MISUSED)
    body: dict[str, Any] = {"behavior": "allow"}
    if arguments.remember:
        body["remember"] = "run"
    inquiries = question.inquiries
    if len(arguments.choose) != len(inquiries):
        raise Failure(
            f"cannot answer: use --choose once for each question to the user; there are"
            f" {len(inquiries)}",
            MISUSED,
        )
    if inquiries:
        body["answers"] = {}
        for inquiry, entered in zip(inquiries, arguments.choose, strict=True):
            chosen = chosen_answer(inquiry, entered)
            if chosen is None:
                raise Failure(f"cannot choose {entered}: there are {len(inquiry.choices)} choices")
            body["answers"][inquiry.text] = chosen
    return body
