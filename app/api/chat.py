"""`/chat`: start a job and read it, read it again, end it."""

import time
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network

from flask import Blueprint, Response, g, jsonify, request

from app.api.accept import choose
from app.api.described import stream_answers
from app.api.described.chat_body import BODY, QUERY
from app.api.described.schemas import Cancelled, Started
from app.api.result import result_response
from app.api.stream import Events, Form, Lines, stream
from app.errors import (
    BadEventId,
    DiskFull,
    IdempotencyKeyReused,
    JobNotEnded,
    JobNotFound,
    QueueFull,
    SessionNotFound,
)
from app.http.chat_request import CHAT_REQUEST_ERRORS, ChatRequests
from app.http.forwarded_prefix import external_path
from app.http.start_job import start_job
from app.http.stream_response import stream_response
from app.jobs.follow import END, is_position
from app.jobs.service import JobService
from app.openapi.describe import Answer, Parameter, describes
from app.records.job import Job


def blueprint(
    jobs: JobService, requests: ChatRequests, proxies: Sequence[IPv4Network | IPv6Network]
) -> Blueprint:
    """The views; `proxies` are trusted to report the path that the client sees."""
    views = Blueprint("chat", __name__)

    @views.post("/chat")
    @describes(
        "Start a job and read its stream.",
        {
            **stream_answers.ANSWERS,
            202: Answer(
                "The job runs or waits for its turn; it needs no client (`Prefer: respond-async`).",
                {"application/json": Started},
                ("X-Process-ID", "Location", "Preference-Applied"),
                links=stream_answers.ANSWERS[200].links,
            ),
        },
        details="The head is sent at once, before the CLI says anything. If the client closes the"
        " connection before the job's end, the job is cancelled, unless it is detached.",
        body=BODY,
        errors=[
            *CHAT_REQUEST_ERRORS,
            *stream_answers.ERRORS,
            *stream_answers.ONCE_BEGUN,
            DiskFull,
            IdempotencyKeyReused,
            QueueFull,
            SessionNotFound,
        ],
        parameters=[
            Parameter(
                "Prefer",
                "header",
                {"type": "string"},
                "`respond-async`: 202 as soon as the CLI runs or the job waits for its turn; the"
                " job is detached (RFC 7240).",
            ),
            Parameter(
                "Idempotency-Key",
                "header",
                {"type": "string", "pattern": "^[!-~]{1,255}$"},
                "The same key with the same body gives the same job, its stream from the start,"
                " for as long as the job is kept. Such a job is detached.",
            ),
            *QUERY,
        ],
    )
    def start() -> Response:
        requested_at = time.monotonic()
        order = requests.read(request)
        respond_async = "respond-async" in request.headers.get("Prefer", "").lower()
        started = start_job(jobs, order, g.user, detached=respond_async)
        if respond_async:
            return _accepted(started.job)
        return _respond(
            started.job,
            0,
            is_new=True,
            cancel_on_disconnect=started.cancel_on_disconnect,
            requested_at=requested_at,
        )

    @views.get("/chat/<job_id>")
    @describes(
        "Read a job's stream, again or from where it broke off.",
        {
            **stream_answers.ANSWERS,
            204: Answer("There is nothing after the event `done`: a browser is not to come back."),
        },
        details="The same stream for the job's user and for the operator, of a job that runs or"
        " has ended. No line is lost and none comes twice. A reader can leave without ending the"
        " job.",
        errors=[*stream_answers.ERRORS, BadEventId],
        parameters=[
            stream_answers.JOB,
            Parameter(
                "Last-Event-ID",
                "header",
                {"type": "string"},
                "The id of the event after which to go on; without it, from the start.",
            ),
            Parameter(
                "last_event_id",
                "query",
                {"type": "string"},
                "The same, for who cannot send headers; the header counts if there are both.",
            ),
        ],
    )
    def resume(job_id: str) -> Response:
        job = jobs.find(job_id, g.user)
        event_id = request.headers.get("Last-Event-ID") or request.args.get("last_event_id") or "0"
        if event_id == END and job.end() is not None:
            # A browser that has seen the end would reconnect forever.
            return Response(status=204)
        if not is_position(job, event_id):
            raise BadEventId(event_id, job_id)
        return _respond(job, int(event_id))

    @views.delete("/chat/<job_id>")
    @describes(
        "Cancel a job.",
        {200: Cancelled},
        details="Whether it runs or waits. The CLI gets SIGINT, so that it"
        " can stop its tools and write a last `result`; it and everything that it started get"
        " SIGTERM at half of `KILL_GRACE` and SIGKILL at its end. The answer comes once nothing"
        " of the job is left running.",
        errors=[JobNotFound, JobNotEnded],
        parameters=[stream_answers.JOB],
    )
    def cancel(job_id: str) -> Response:
        ended = jobs.cancel(job_id, g.user)
        return jsonify(
            status="cancelled", process_id=job_id, killed=ended.killed, signal=ended.stop_signal
        )

    def _respond(
        job: Job,
        position: int,
        *,
        is_new: bool = False,
        cancel_on_disconnect: bool = False,
        requested_at: float | None = None,
    ) -> Response:
        kind = choose(request.headers.get("Accept", ""))
        if kind in ("application/json", "text/plain"):
            return result_response(
                jobs,
                job,
                kind,
                request.environ,
                is_new=is_new,
                cancel_on_disconnect=cancel_on_disconnect,
            )
        form: Form = Events(position) if kind == "text/event-stream" else Lines()
        chunks = stream(
            jobs,
            job,
            position,
            form,
            request.environ,
            cancel_on_disconnect=cancel_on_disconnect,
            requested_at=requested_at,
        )
        response = stream_response(chunks, kind, job.id)
        response.vary.add("Accept")
        return response

    def _accepted(job: Job) -> Response:
        response = jsonify(process_id=job.id)
        response.status_code = 202
        response.headers["X-Process-ID"] = job.id
        response.headers["Location"] = external_path(f"/chat/{job.id}", request, proxies)
        response.headers["Preference-Applied"] = "respond-async"
        return response

    return views
