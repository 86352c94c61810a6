"""`/chat`: start a job and read it, read it again, end it."""

from collections.abc import Callable

from flask import Blueprint, Response, g, jsonify, request

from app.api.forms import choose
from app.api.stream import Events, Form, Lines, stream
from app.api.waiting import answer_when_ended
from app.errors import BadEventId
from app.jobs.directory import JobDirectory
from app.jobs.follow import END, is_position
from app.jobs.service import JobService
from app.web.intake import Intake


def blueprint(jobs: JobService, intake: Intake) -> Blueprint:
    """The views."""
    views = Blueprint("chat", __name__)

    @views.post("/chat")
    def start() -> Response:
        asked = intake.read(request)
        respond_async = "respond-async" in request.headers.get("Prefer", "").lower()
        # Who names a request wants to send it again if the answer is lost.
        detached = asked.detached or respond_async or asked.key is not None
        directory = jobs.start(asked, user=g.user, detached=detached)
        if respond_async:
            answer = jsonify(process_id=directory.id)
            answer.status_code = 202
            answer.headers["Location"] = f"/chat/{directory.id}"
            answer.headers["Preference-Applied"] = "respond-async"
            answer.headers["X-Process-ID"] = directory.id
            return answer
        return _tell(directory, 0, (lambda: None) if detached else lambda: jobs.abandon(directory))

    @views.get("/chat/<job_id>")
    def resume(job_id: str) -> Response:
        directory = jobs.find(job_id)
        given = request.headers.get("Last-Event-ID") or request.args.get("last_event_id") or "0"
        if given == END and directory.ended() is not None:
            # A browser that has seen the end is told not to come back.
            return Response(status=204)
        if not is_position(directory, given):
            raise BadEventId(given, job_id)
        return _tell(directory, int(given), lambda: None)

    @views.delete("/chat/<job_id>")
    def cancel(job_id: str) -> Response:
        ended = jobs.cancel(job_id)
        return jsonify(
            status="cancelled", process_id=job_id, killed=ended.killed, signal=ended.stop_signal
        )

    def _tell(directory: JobDirectory, position: int, left: Callable[[], None]) -> Response:
        kind = choose(request.accept_mimetypes)
        if kind in ("application/json", "text/plain"):
            return answer_when_ended(jobs, directory, kind, request.environ, left)
        form: Form = Events(position) if kind == "text/event-stream" else Lines()
        return Response(
            stream(jobs, directory, position, form, request.environ, left),
            content_type=f"{kind}; charset=utf-8",
            headers={
                "X-Process-ID": directory.id,
                "Cache-Control": "no-cache, no-transform",
                "X-Accel-Buffering": "no",
                "Vary": "Accept",
            },
        )

    return views
