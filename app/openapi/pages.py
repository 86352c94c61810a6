"""`/openapi.json`, and two pages that show it: `/docs` (Swagger UI) and `/redoc`."""

import hashlib
import json
from functools import cache
from http import HTTPStatus
from pathlib import Path

from flask import Blueprint, Response, current_app, request
from werkzeug.wsgi import wrap_file

from app.errors import NotFound
from app.openapi.describe import Answer, Parameter, Text, describes
from app.openapi.document import make_document

_PAGES = Path(__file__).with_name("templates")
_VENDORED = Path(__file__).parents[2] / "vendored"
_KINDS = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
}
_FILES = {
    path.name: path
    for folder in (_PAGES, _VENDORED)
    for path in sorted(folder.iterdir())
    if path.suffix in _KINDS
}

# Nothing but our own files. Both show images that are part of their style sheets or made up
# on the way (data:), and nobody may show the pages in a frame.
_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'"
)
# Redoc adds one style of its own, by its hash, and an empty one that it fills rule by rule. It
# searches in a worker that it makes from its own text (blob:).
_EMPTY = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
_SCROLLBAR = "'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='"
_REDOC_POLICY = f"{_POLICY}; style-src 'self' {_EMPTY} {_SCROLLBAR}; worker-src blob:"

_IF_NONE_MATCH = Parameter(
    "If-None-Match", "header", {"type": "string"}, "The ETag of what is there already."
)
_KEPT = ["Cache-Control", "ETag"]
_NOT_CHANGED = Answer("Nothing has changed.", headers=_KEPT)
_ANY_JSON = Text("An OpenAPI document.", schema={"type": "object"})


_PAGE = Answer(
    "The page.",
    {"text/html": Text("It loads nothing but our own files.")},
    [*_KEPT, "Content-Security-Policy"],
)
_NOT_CHANGED_PAGE = Answer("Nothing has changed.", headers=[*_KEPT, "Content-Security-Policy"])


def blueprint() -> Blueprint:
    """The views."""
    views = Blueprint("docs", __name__)
    document: list[bytes] = []

    @views.get("/openapi.json")
    @describes(
        "This document.",
        {200: Answer("OpenAPI 3.1.", {"application/json": _ANY_JSON}, _KEPT), 304: _NOT_CHANGED},
        parameters=[_IF_NONE_MATCH],
    )
    def openapi() -> Response:
        if not document:
            # Only now all routes are known.
            document.append(json.dumps(make_document(current_app)).encode())
        return _cached(Response(document[0], mimetype="application/json"), _digest(document[0]))

    @views.get("/docs")
    @describes(
        "This API, to read and to try out (Swagger UI).",
        {200: _PAGE, 304: _NOT_CHANGED_PAGE},
        parameters=[_IF_NONE_MATCH],
    )
    def swagger_ui() -> Response:
        return _html("docs.html", _POLICY)

    @views.get("/redoc")
    @describes(
        "This API, to read (Redoc).",
        {200: _PAGE, 304: _NOT_CHANGED_PAGE},
        parameters=[_IF_NONE_MATCH],
    )
    def redoc() -> Response:
        return _html("redoc.html", _REDOC_POLICY)

    @views.get("/docs/<name>")
    @describes(
        "A file of these pages.",
        {
            200: Answer(
                "The file.",
                {kind.partition(";")[0]: Text("") for kind in _KINDS.values()},
                _KEPT,
            ),
            304: _NOT_CHANGED,
        },
        errors=[NotFound],
        parameters=[
            Parameter("name", "path", {"type": "string", "enum": list(_FILES)}, "Its name."),
            _IF_NONE_MATCH,
        ],
    )
    def file(name: str) -> Response:
        path = _FILES.get(name)
        if path is None:
            raise NotFound
        answer = Response(content_type=_KINDS[path.suffix])
        answer.content_length = path.stat().st_size
        _cached(answer, _digest(path))
        if answer.status_code == HTTPStatus.OK and request.method == "GET":
            # Sent in pieces, between which others have their turn.
            answer.response = wrap_file(request.environ, path.open("rb"))
            answer.direct_passthrough = True
        return answer

    return views


def _html(name: str, policy: str) -> Response:
    page = (_PAGES / name).read_bytes()
    answer = Response(page, mimetype="text/html")
    answer.headers["Content-Security-Policy"] = policy
    answer.headers["X-Frame-Options"] = "DENY"
    # A 304 cannot take back a policy: another policy is another page.
    return _cached(answer, _digest(page + policy.encode()))


def _cached(answer: Response, digest: str) -> Response:
    """Have clients keep this, but ask whether it is still so; 304 tells them that it is."""
    answer.set_etag(digest)
    answer.headers["Cache-Control"] = "no-cache"
    answer.make_conditional(request)
    return answer


@cache
def _digest(of: bytes | Path) -> str:
    content = of if isinstance(of, bytes) else of.read_bytes()
    return hashlib.sha256(content).hexdigest()[:32]
