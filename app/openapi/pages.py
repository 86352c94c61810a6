"""`/openapi.json`, the pages that show it, `/docs` (Swagger UI) and `/redoc`, and their icon."""

import hashlib
import json
from functools import cache
from http import HTTPStatus
from pathlib import Path

from flask import Blueprint, Response, current_app, request
from werkzeug.wsgi import wrap_file

from app.errors import NotFound
from app.openapi.describe import Parameter, ResponseDescription, Text, describes
from app.openapi.document import make_document

_TEMPLATES = Path(__file__).with_name("templates")
_VENDORED = Path(__file__).parents[2] / "vendored"
_KINDS = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
}
_FILES = {
    path.name: path
    for folder in (_TEMPLATES, _VENDORED)
    for path in sorted(folder.iterdir())
    if path.suffix in _KINDS
}

_FAVICON = _TEMPLATES / "favicon.ico"
_ICO = "image/x-icon"
# Every page that a browser shows asks for it.
_FAVICON_CACHE_CONTROL = "public, max-age=86400"

# Only our own files, no frames. Both pages show images that are part of their style sheets or
# made by their scripts (data:).
_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'"
)
# Redoc adds one style, allowed by its hash, and an empty one that it fills rule by rule. It
# searches in a worker that it makes from a string (blob:).
_EMPTY = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
_SCROLLBAR = "'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='"
_REDOC_POLICY = f"{_POLICY}; style-src 'self' {_EMPTY} {_SCROLLBAR}; worker-src blob:"

_IF_NONE_MATCH = Parameter(
    "If-None-Match", "header", {"type": "string"}, "The ETag of the response that the client has."
)
_CACHE_HEADERS = ["Cache-Control", "ETag"]
_NOT_MODIFIED = ResponseDescription("Not modified.", headers=_CACHE_HEADERS)
_DOCUMENT = ResponseDescription(
    "OpenAPI 3.1.",
    {"application/json": Text("An OpenAPI document.", schema={"type": "object"})},
    _CACHE_HEADERS,
)
_PAGE = ResponseDescription(
    "The page.",
    {"text/html": Text("It loads only files of the gateway.")},
    [*_CACHE_HEADERS, "Content-Security-Policy"],
)
_PAGE_NOT_MODIFIED = ResponseDescription(
    "Not modified.", headers=[*_CACHE_HEADERS, "Content-Security-Policy"]
)
_FILE = ResponseDescription(
    "The file.",
    {kind.partition(";")[0]: Text("") for kind in _KINDS.values()},
    _CACHE_HEADERS,
)
_ICON = ResponseDescription("The icon.", {_ICO: Text("An icon in three sizes.")}, _CACHE_HEADERS)
_FILE_NAME = Parameter("name", "path", {"type": "string", "enum": [*_FILES]}, "The file's name.")


def blueprint(introduced_by: str) -> Blueprint:
    """The views of a document with this introduction."""
    views = Blueprint("docs", __name__)
    document: list[bytes] = []

    @views.get("/openapi.json")
    @describes(
        "Get this document.", {200: _DOCUMENT, 304: _NOT_MODIFIED}, parameters=[_IF_NONE_MATCH]
    )
    def openapi() -> Response:
        if not document:
            # Not earlier: routes are added until the first request.
            document.append(json.dumps(make_document(current_app, introduced_by)).encode())
        return _cached(Response(document[0], mimetype="application/json"), _digest(document[0]))

    @views.get("/docs")
    @describes(
        "Read and try the API (Swagger UI).",
        {200: _PAGE, 304: _PAGE_NOT_MODIFIED},
        parameters=[_IF_NONE_MATCH],
    )
    def swagger_ui() -> Response:
        return _html("docs.html", _POLICY)

    @views.get("/redoc")
    @describes(
        "Read about the API (Redoc).",
        {200: _PAGE, 304: _PAGE_NOT_MODIFIED},
        parameters=[_IF_NONE_MATCH],
    )
    def redoc() -> Response:
        return _html("redoc.html", _REDOC_POLICY)

    @views.get("/docs/<name>")
    @describes(
        "Get a file of these pages.",
        {200: _FILE, 304: _NOT_MODIFIED},
        errors=[NotFound],
        parameters=[_FILE_NAME, _IF_NONE_MATCH],
    )
    def file(name: str) -> Response:
        path = _FILES.get(name)
        if path is None:
            raise NotFound
        return _file(path, _KINDS[path.suffix])

    @views.get("/favicon.ico")
    @describes(
        "Get the icon of these pages.",
        {200: _ICON, 304: _NOT_MODIFIED},
        parameters=[_IF_NONE_MATCH],
    )
    def favicon() -> Response:
        response = _file(_FAVICON, _ICO)
        response.headers["Cache-Control"] = _FAVICON_CACHE_CONTROL
        return response

    return views


def _html(name: str, policy: str) -> Response:
    page = (_TEMPLATES / name).read_bytes()
    response = Response(page, mimetype="text/html")
    response.headers["Content-Security-Policy"] = policy
    response.headers["X-Frame-Options"] = "DENY"
    # A 304 cannot change the policy that a client has: another policy is another page.
    return _cached(response, _digest(page + policy.encode()))


def _file(path: Path, kind: str) -> Response:
    response = Response(content_type=kind)
    response.content_length = path.stat().st_size
    _cached(response, _digest(path))
    if response.status_code == HTTPStatus.OK and request.method == "GET":
        # Sent in pieces, so that other requests are served in between.
        response.response = wrap_file(request.environ, path.open("rb"))
        response.direct_passthrough = True
    return response


def _cached(response: Response, digest: str) -> Response:
    """Let clients cache the response but revalidate it; a 304 if their copy is current."""
    response.set_etag(digest)
    response.headers["Cache-Control"] = "no-cache"
    response.make_conditional(request)
    return response


@cache
def _digest(source: bytes | Path) -> str:
    content = source if isinstance(source, bytes) else source.read_bytes()
    return hashlib.sha256(content).hexdigest()[:32]
