"""`/openapi.json`, the pages that show it, `/docs` (Swagger UI) and `/redoc`, and their icon."""

import json
from pathlib import Path

from flask import Blueprint, Response, current_app

from app.errors import NotFound
from app.http import static_file
from app.http.static_file import KINDS
from app.openapi.describe import Parameter, ResponseDescription, Text, describes
from app.openapi.document import make_document

_TEMPLATES = Path(__file__).with_name("templates")
_VENDORED = Path(__file__).parents[2] / "vendored"
_FILES = {
    path.name: path
    for folder in (_TEMPLATES, _VENDORED)
    for path in sorted(folder.iterdir())
    if path.suffix in KINDS
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
    {kind.partition(";")[0]: Text("") for kind in KINDS.values()},
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
        response = Response(document[0], mimetype="application/json")
        return static_file.cached(response, static_file.digest(document[0]))

    @views.get("/docs")
    @describes(
        "Read and try the API (Swagger UI).",
        {200: _PAGE, 304: _PAGE_NOT_MODIFIED},
        parameters=[_IF_NONE_MATCH],
    )
    def swagger_ui() -> Response:
        return static_file.page((_TEMPLATES / "docs.html").read_bytes(), _POLICY)

    @views.get("/redoc")
    @describes(
        "Read about the API (Redoc).",
        {200: _PAGE, 304: _PAGE_NOT_MODIFIED},
        parameters=[_IF_NONE_MATCH],
    )
    def redoc() -> Response:
        return static_file.page((_TEMPLATES / "redoc.html").read_bytes(), _REDOC_POLICY)

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
        return static_file.file(path, KINDS[path.suffix])

    @views.get("/favicon.ico")
    @describes(
        "Get the icon of these pages.",
        {200: _ICON, 304: _NOT_MODIFIED},
        parameters=[_IF_NONE_MATCH],
    )
    def favicon() -> Response:
        return static_file.file(_FAVICON, _ICO, _FAVICON_CACHE_CONTROL)

    return views
