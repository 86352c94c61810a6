"""How errors are told: JSON with `detail`, `code` and `request_id`, or in a face's own shape."""

import logging
import re
from collections.abc import Mapping
from uuid import uuid4

from flask import Flask, Response, g, jsonify, request
from werkzeug.exceptions import HTTPException

from app.errors import GatewayError, InternalError, NotAuthenticated, TooManyAttempts
from app.metrics import Metrics
from app.web.told import Shape, Told

log = logging.getLogger(__name__)

_SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


def install(app: Flask, shapes: Mapping[str, Shape], metrics: Metrics) -> None:
    """Give every request an id, and every error a shape; no error is an HTML page.

    `shapes` are those of the paths that begin so; all others are told in our own.
    """
    app.before_request(_identify_request)
    app.after_request(_tell_request_id)

    @app.errorhandler(GatewayError)
    def gateway_error(error: GatewayError) -> Response:
        if isinstance(error, NotAuthenticated | TooManyAttempts):
            metrics.count_refusal(error.code)
        for prefix, shape in shapes.items():
            if request.path.startswith(prefix):
                return _answer(shape(error))
        return _answer(_own_shape(error))

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
        answer = gateway_error(told)
        answer.headers.extend(headers)
        return answer

    @app.errorhandler(Exception)
    def unforeseen(error: Exception) -> Response:
        # The type alone: the message may hold what the client sent.
        log.error(
            "request %s failed: %s", request_id(), type(error).__name__, exc_info=_bare(error)
        )
        return gateway_error(InternalError())


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
