"""`/chat`: start a job and read its stream, resume the stream, cancel the job."""

import time
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network

from flask import Blueprint, Response, g, jsonify, request

from app.api.accept import choose
from app.api.described import job_stream
from app.api.described.chat_body import BODY, QUERY
from app.api.described.jobs import Cancelled, Started
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
from app.openapi.describe import Parameter, ResponseDescription, describes
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
            **job_stream.RESPONSES,
            202: ResponseDescription(
                "The job is running or queued, and detached (`Prefer: respond-async`).",
                {"application/json": Started},
                ("X-Process-ID", "Location", "Preference-Applied"),
                links=job_stream.RESPONSES[200].links,
            ),
        },
        details="The response begins at once, before the CLI writes anything. If the client closes"
        " the connection before the job has ended, the job is cancelled, unless it is detached.",
        body=BODY,
        errors=[
            *CHAT_REQUEST_ERRORS,
            *job_stream.READ_ERRORS,
            *job_stream.STARTED_ERRORS,
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
                "`respond-async`: respond with 202 as soon as the job is running or queued, and"
                " detach it (RFC 7240).",
            ),
            Parameter(
                "Idempotency-Key",
                "header",
                {"type": "string", "pattern": "^[!-~]{1,255}$"},
                "The same key with the same body returns the same job, and its stream from the"
                " start, for as long as the job is kept. The job is detached. Keys are separate per"
                " user.",
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
        "Read a job's stream, from the start or after an event.",
        {
            **job_stream.RESPONSES,
            204: ResponseDescription(
                "The client already has `done`. A browser stops reconnecting."
            ),
        },
        details="For the job's user and the operator, whether the job has ended or not. No line is"
        " lost or repeated. A disconnect does not cancel the job.",
        errors=[*job_stream.READ_ERRORS, BadEventId],
        parameters=[
            job_stream.JOB,
            Parameter(
                "Last-Event-ID",
                "header",
                {"type": "string"},
                "The id of the last event that the client has. Without it, the stream begins at the"
                " start.",
            ),
            Parameter(
                "last_event_id",
                "query",
                {"type": "string"},
                "The same, for clients that cannot send headers. The header takes precedence.",
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
        details="The CLI is sent SIGINT, so that it can stop its tools and write a last `result`."
        " Its process and all descendants are sent SIGTERM after half of `KILL_GRACE`, and SIGKILL"
        " after all of it. The response is sent when none of the job's processes is left. A queued"
        " job is cancelled at once.",
        errors=[JobNotFound, JobNotEnded],
        parameters=[job_stream.JOB],
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
