"""X-Request-ID: the id of each request, in its response and in the log."""

import re
from uuid import uuid4

from flask import Flask, Response, g, request

_VALID = re.compile(r"[A-Za-z0-9._-]{1,128}")


def install(app: Flask) -> None:
    """Give every request an id, and return it in the header X-Request-ID."""

    @app.before_request
    def set_request_id() -> None:
        sent = request.headers.get("X-Request-ID", "")
        g.request_id = sent if _VALID.fullmatch(sent) else uuid4().hex

    @app.after_request
    def add_header(response: Response) -> Response:
        response.headers["X-Request-ID"] = request_id()
        return response


def request_id() -> str:
    """The id of the current request: the client's, if it sent a valid one."""
    identity: str = g.get("request_id", "")
    return identity
