"""How errors are told: JSON with `detail`, `code` and `request_id`, or in a face's own shape."""

import logging
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple
from uuid import uuid4

from flask import Flask, Response, g, jsonify, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from app.errors import (
    GatewayError,
    InternalError,
    JobContinues,
    NotAuthenticated,
    TooManyAttempts,
)
from app.http.error_response import Shape, Told
from app.metrics import Metrics

log = logging.getLogger(__name__)

# Characters of a path that a hint repeats.
_LONGEST_PATH = 200
_SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


class Face(NamedTuple):
    """An API below a `prefix`, whose clients know another shape of errors than ours.

    `hint_for` gives what helps such a client that asks for a path that does not exist, and None
    for a path that such clients do not ask for.
    """

    prefix: str
    shape: Shape
    hint_for: Callable[[str], str | None]

    def has(self, path: str) -> bool:
        """Whether a path belongs to this API."""
        return f"{path}/".startswith(self.prefix)


def install(app: Flask, faces: Sequence[Face], metrics: Metrics) -> None:
    """Give every request an id, and every error a shape; no error is an HTML page.

    Outside of these `faces` it is our own.
    """
    app.before_request(_identify_request)
    app.after_request(_tell_request_id)

    @app.errorhandler(GatewayError)
    def gateway_error(error: GatewayError) -> Response:
        if isinstance(error, NotAuthenticated | TooManyAttempts):
            metrics.count_refusal(error.code)
        for face in faces:
            if face.has(request.path):
                return _answer(face.shape(error))
        return _answer(_own_shape(error))

    def wrong_address(error: GatewayError, allowed: Sequence[str]) -> Response:
        """The path does not exist, or takes other methods: add what would help."""
        path = request.path
        face = next((each for each in faces if each.hint_for(path)), None)
        error.hint = (
            face.hint_for(path)
            if face
            else f"This path takes {', '.join(sorted(allowed))}"
            if allowed
            else _nearest(app, path)
        )
        if face is None or face.has(path):
            return gateway_error(error)
        # Clients of that API read the one shape, our own clients the other.
        own, other = _own_shape(error), face.shape(error)
        return _answer(other._replace(body={**own.body, **other.body}))

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        headers = {
            name: value
            for name, value in error.get_headers(request.environ)
            if name not in ("Content-Type", "Content-Length")
        }
        told = GatewayError(error.name)
        told.status = error.code or 500
        told.code = (error.name or "error").lower().replace(" ", "_").replace("'", "")
        if isinstance(error, NotFound | MethodNotAllowed):
            answer = wrong_address(told, [*(getattr(error, "valid_methods", None) or ())])
        else:
            answer = gateway_error(told)
        answer.headers.extend(headers)
        return answer

    @app.errorhandler(Exception)
    def unforeseen(error: Exception) -> Response:
        # The type alone: the message may hold what the client sent.
        log.error(
            "request %s failed: %s", request_id(), type(error).__name__, exc_info=_bare(error)
        )
        job_id = g.get("job_id")
        return gateway_error(JobContinues(job_id) if job_id else InternalError())


def job_begins(job_id: str) -> None:
    """From now on, no answer to the present request may be one that clients repeat."""
    g.job_id = job_id


def request_id() -> str:
    """The id of the present request: the client's, if it sent a sane one."""
    identity: str = g.get("request_id", "")
    return identity


def _identify_request() -> None:
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if _SANE_REQUEST_ID.fullmatch(given) else uuid4().hex


def _tell_request_id(response: Response) -> Response:
    response.headers["X-Request-ID"] = request_id()
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    return response


def _nearest(app: Flask, path: str) -> str:
    """What helps a client that asks for a path that does not exist."""
    plain = re.sub("/{2,}", "/", path).rstrip("/")
    if plain != path and app.url_map.bind("").allowed_methods(plain):
        return f"The path is {plain[:_LONGEST_PATH]}: single slashes, and none at the end"
    return "GET /docs lists all paths"


def _own_shape(error: GatewayError) -> Told:
    body = {"detail": error.detail, "code": error.code, "request_id": request_id()}
    if error.hint:
        body["hint"] = error.hint
    return Told(error.status, body, error.headers())


def _answer(told: Told) -> Response:
    response = jsonify(told.body)
    response.status_code = told.status
    response.headers.extend(told.headers)
    return response


def _bare(error: BaseException) -> BaseException:
    """The error's type and traceback without its words."""
    bare = RuntimeError(type(error).__name__)
    return bare.with_traceback(error.__traceback__)
