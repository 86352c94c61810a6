"""`/questions` and `/jobs/{process_id}/questions`: what the CLI asks, and the answers."""

import time
from collections.abc import Sequence

from flask import Blueprint, Response, g, jsonify, request

from app.api.answer_body import AnswerBody, answer_for, read_answer
from app.api.described.job_stream import JOB
from app.api.described.questions import AnsweredQuestion, JobQuestions, OpenQuestions
from app.api.wait import seconds_to_wait, wait_parameter
from app.errors import (
    AlreadyAnswered,
    DiskFull,
    InvalidRequest,
    JobNotFound,
    QuestionClosed,
    QuestionNotFound,
    ShuttingDown,
)
from app.http.body import BODY_ERRORS, BodyReader
from app.http.disconnect import DISCONNECTED, watch_connection
from app.http.query import switch_in_query
from app.jobs.questions import OpenQuestion, Questions, render_question
from app.openapi.describe import Body, Parameter, describes

_ALL = describes(
    "List the questions that need an answer, of all jobs.",
    {200: OpenQuestions},
    details="A job that was started with `ask` waits when Claude needs a permission or has a"
    " question. Oldest first. Users see the questions of their own jobs, the operator those of all"
    " jobs.",
    errors=[InvalidRequest, ShuttingDown],
    parameters=[wait_parameter("If there is no question, wait for one, up to this many seconds.")],
)
_OF_JOB = describes(
    "List the questions that need an answer, of one job.",
    {200: JobQuestions},
    errors=[InvalidRequest, JobNotFound],
    parameters=[
        JOB,
        Parameter(
            "all",
            "query",
            {"type": "boolean", "default": False},
            "Whether to list all questions that the job has asked: `closed` says who has answered"
            " what.",
        ),
    ],
)
_ANSWER = describes(
    "Answer a question.",
    {200: AnsweredQuestion},
    details="The job then goes on. The first answer counts.",
    errors=[
        *BODY_ERRORS,
        AlreadyAnswered,
        DiskFull,
        InvalidRequest,
        JobNotFound,
        QuestionClosed,
        QuestionNotFound,
    ],
    parameters=[
        JOB,
        Parameter("question_id", "path", {"type": "string"}, "The question's id."),
    ],
    body=Body(
        {"application/json": AnswerBody},
        {
            "yes": {"behavior": "allow"},
            "no": {"behavior": "deny", "message": "Not in this folder."},
            "yes, and do not ask again": {"behavior": "allow", "remember": "run"},
            "an answer to Claude's question": {
                "behavior": "allow",
                "answers": {"Which color?": "blue"},
            },
        },
    ),
)


def blueprint(questions: Questions, bodies: BodyReader) -> Blueprint:
    """The views."""
    views = Blueprint("questions", __name__)

    @views.get("/questions")
    @_ALL
    def all_questions() -> Response:
        seconds = seconds_to_wait()
        found = questions.open_for(g.user)
        return _render(found if found or not seconds else _wait(questions, seconds))

    @views.get("/jobs/<job_id>/questions")
    @_OF_JOB
    def of_job(job_id: str) -> Response:
        if not switch_in_query("all"):
            return _render(questions.of_job(job_id, g.user))
        found = questions.all_of_job(job_id, g.user)
        rows = [{**render_question(each), "closed": how and how._asdict()} for each, how in found]
        return jsonify(questions=rows)

    @views.post("/jobs/<job_id>/questions/<question_id>")
    @_ANSWER
    def answer(job_id: str, question_id: str) -> Response:
        # Refused before the answer is read.
        question = questions.question(job_id, question_id, g.user)
        body = read_answer(bodies.read_json_bytes(request))
        questions.answer(job_id, question_id, g.user, answer_for(question, body, g.user.id))
        return jsonify(question_id=question_id, process_id=job_id, behavior=body.behavior)

    return views


def _wait(questions: Questions, seconds: float) -> Sequence[OpenQuestion]:
    """The questions, once there is one; none after so many seconds. Raises ShuttingDown."""
    deadline = time.monotonic() + seconds
    with (
        questions.wait() as waiting,
        watch_connection(request.environ, lambda: waiting.stop(DISCONNECTED)),
    ):
        while not (found := questions.open_for(g.user)):
            if not waiting.until(deadline):
                break
    if not found and waiting.stopped_by not in (None, DISCONNECTED):
        raise ShuttingDown("/questions")
    return found


def _render(found: Sequence[OpenQuestion]) -> Response:
    return jsonify(questions=[render_question(each) for each in found])
