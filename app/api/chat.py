"""`/chat`: start a job and read its stream, resume the stream, cancel the job."""

import time
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network

from flask import Blueprint, Response, g, jsonify, request

from app.api.accept import choose
from app.api.described import chat as described
from app.api.result import result_response
from app.api.stream import Events, Form, Lines, stream
from app.errors import BadEventId
from app.http.chat_request import ChatRequests
from app.http.forwarded_prefix import external_path
from app.http.start_job import start_job
from app.http.stream_response import stream_response
from app.jobs.follow import END, is_position
from app.jobs.service import JobService
from app.records.job import Job


def blueprint(
    jobs: JobService, requests: ChatRequests, proxies: Sequence[IPv4Network | IPv6Network]
) -> Blueprint:
    """The views; `proxies` are trusted to report the path that the client sees."""
    views = Blueprint("chat", __name__)

    @views.post("/chat")
    @described.START
    def start() -> Response:
        requested_at = time.monotonic()
        spec = requests.read(request, g.user)
        respond_async = "respond-async" in request.headers.get("Prefer", "").lower()
        started = start_job(jobs, spec, g.user, detached=respond_async)
        if respond_async:
            return _accepted(
                started.job, external_path(f"/chat/{started.job.id}", request, proxies)
            )
        return _output(
            jobs,
            started.job,
            0,
            is_new=True,
            cancel_on_disconnect=started.cancel_on_disconnect,
            requested_at=requested_at,
        )

    @views.get("/chat/<job_id>")
    @described.RESUME
    def resume(job_id: str) -> Response:
        job = jobs.find(job_id, g.user)
        event_id = request.headers.get("Last-Event-ID") or request.args.get("last_event_id") or "0"
        if event_id == END and job.end() is not None:
            # A browser that has seen the end would reconnect forever.
            return Response(status=204)
        if not is_position(job, event_id):
            raise BadEventId(event_id, job_id)
        return _output(jobs, job, int(event_id))

    @views.delete("/chat/<job_id>")
    @described.CANCEL
    def cancel(job_id: str) -> Response:
        end = jobs.cancel(job_id, g.user)
        return jsonify(
            status="cancelled", process_id=job_id, killed=end.killed, signal=end.stop_signal
        )

    return views


def _accepted(job: Job, path: str) -> Response:
    response = jsonify(process_id=job.id)
    response.status_code = 202
    response.headers["X-Process-ID"] = job.id
    response.headers["Location"] = path
    response.headers["Preference-Applied"] = "respond-async"
    return response


def _output(
    jobs: JobService,
    job: Job,
    position: int,
    *,
    is_new: bool = False,
    cancel_on_disconnect: bool = False,
    requested_at: float | None = None,
) -> Response:
    """The job's output in the form that the request accepts."""
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
    form: Form = Events() if kind == "text/event-stream" else Lines()
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
