"""How the raw face tells errors: JSON with `detail`, `code` and `request_id`."""

import logging
import re
from uuid import uuid4

from flask import Flask, Response, g, jsonify, request
from werkzeug.exceptions import HTTPException

from app.errors import GatewayError, InternalError

log = logging.getLogger(__name__)

_SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


def install(app: Flask) -> None:
    """Give every request an id, and every error our shape; no error is an HTML page."""
    app.before_request(_identify_request)
    app.after_request(_tell_request_id)

    @app.errorhandler(GatewayError)
    def gateway_error(error: GatewayError) -> Response:
        return _answer(error.status, error.detail, error.code, error.headers())

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        headers = {
            name: value
            for name, value in error.get_headers(request.environ)
            if name not in ("Content-Type", "Content-Length")
        }
        code = (error.name or "error").lower().replace(" ", "_").replace("'", "")
        return _answer(error.code or 500, error.name, code, headers)

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


def _answer(status: int, detail: object, code: str, headers: dict[str, str]) -> Response:
    response = jsonify(detail=detail, code=code, request_id=request_id())
    response.status_code = status
    response.headers.extend(headers)
    return response


def _bare(error: BaseException) -> BaseException:
    """The error's type and traceback without its words."""
    bare = RuntimeError(type(error).__name__)
    return bare.with_traceback(error.__traceback__)
