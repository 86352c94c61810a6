"""`POST /chat` and `DELETE /chat/<id>`: start a job and read it, end it."""

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import gevent
from flask import Blueprint, Response, g, jsonify, request

from app import sse
from app.api.client import watch_client
from app.cli.command import Defaults, build
from app.cli.request import read_request
from app.errors import (
    BadDirectory,
    BodyTooLarge,
    BodyTooSlow,
    DirectoryNotAllowed,
    UnsupportedMediaType,
)
from app.jobs.directory import JobDirectory
from app.jobs.follow import Follower
from app.jobs.service import JobService

#: Seconds that a request's body may take.
BODY_PATIENCE = 60.0

_CLIENT_LEFT = "the client went away"


def blueprint(
    jobs: JobService,
    defaults: Defaults,
    version: tuple[int, ...],
    cwd_roots: Sequence[Path],
    max_body: int,
) -> Blueprint:
    """The views; `version` is the CLI's, `max_body` in bytes."""
    views = Blueprint("chat", __name__)

    @views.post("/chat")
    def start() -> Response:
        if request.mimetype != "application/json":
            raise UnsupportedMediaType
        asked = read_request(_body(max_body))
        _check_directory(asked.cwd, cwd_roots)
        command = build(asked, defaults, version)
        model = asked.model if "model" in asked.model_fields_set else defaults.model
        directory = jobs.start(
            command, cwd=asked.cwd, model=model, session_id=asked.session_id, user=g.user
        )
        return Response(
            _stream(jobs, directory, request.environ),
            content_type="text/event-stream; charset=utf-8",
            headers={
                "X-Process-ID": directory.id,
                "Cache-Control": "no-cache, no-transform",
                "X-Accel-Buffering": "no",
            },
        )

    @views.delete("/chat/<job_id>")
    def cancel(job_id: str) -> Response:
        ended = jobs.cancel(job_id)
        return jsonify(
            status="cancelled", process_id=job_id, killed=ended.killed, signal=ended.stop_signal
        )

    return views


def _stream(
    jobs: JobService, directory: JobDirectory, environ: Mapping[str, Any]
) -> Iterator[bytes]:
    """The job's lines as events, from its first to its end.

    If the client goes away before the end, the job is cancelled. That the gateway stops is
    not the client's going away.
    """
    stopped_by: str | None = None
    try:
        # An empty chunk has gunicorn send the head now, before the CLI says anything.
        yield b""
        with jobs.follow(directory, 0) as follower:
            framer = sse.Framer(0)
            with watch_client(environ, lambda: follower.stop(_CLIENT_LEFT)):
                yield from _frames(follower, framer)
            stopped_by = follower.stopped_by
        if stopped_by is None:
            yield sse.event("done", jobs.end_of(directory))
        elif stopped_by != _CLIENT_LEFT and not framer.inside:
            yield sse.event(
                "error",
                {"error": stopped_by, "code": "stream_ended", "process_id": directory.id},
            )
    except GeneratorExit:
        stopped_by = jobs.stopped_by or _CLIENT_LEFT
        raise
    finally:
        if stopped_by == _CLIENT_LEFT:
            jobs.abandon(directory)


def _frames(follower: Follower, framer: sse.Framer) -> Iterator[bytes]:
    for chunk in follower:
        if chunk:
            yield framer.feed(chunk)
        elif not framer.inside:
            yield sse.PING
    if follower.stopped_by is None:
        yield framer.finish()


def _body(limit: int) -> bytes:
    if (request.content_length or 0) > limit:
        raise BodyTooLarge(limit)
    with gevent.Timeout(BODY_PATIENCE, BodyTooSlow(BODY_PATIENCE)):
        # Not through werkzeug, which cuts a chunked body off where the limit is.
        body: bytes = request.environ["wsgi.input"].read(limit + 1)
    if len(body) > limit:
        raise BodyTooLarge(limit)
    return body


def _check_directory(cwd: str, roots: Sequence[Path]) -> None:
    path = Path(cwd)
    if not path.is_absolute():
        raise BadDirectory(f"Path is not absolute: {cwd}")
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise BadDirectory(f"Directory does not exist: {cwd}") from None
    except OSError as error:
        raise BadDirectory(f"Directory cannot be looked at ({error.strerror}): {cwd}") from None
    if not stat.S_ISDIR(mode):
        raise BadDirectory(f"Path is not a directory: {cwd}")
    if not os.access(path, os.R_OK | os.X_OK):
        raise BadDirectory(f"Directory cannot be entered by the gateway's user: {cwd}")
    if roots and not any(path.resolve().is_relative_to(root) for root in roots):
        raise DirectoryNotAllowed(f"Directory is outside of CWD_ROOTS: {cwd}")
