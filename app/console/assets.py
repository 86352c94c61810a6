"""`GET /console/assets/{name}`: what the console's page loads; open to all, as the page is."""

from flask import Blueprint, Response

from app.console.built_files import BuiltFiles
from app.errors import NotFound
from app.http.static_file import KINDS
from app.openapi.describe import Parameter, ResponseDescription, Text, describes

_CACHE_HEADERS = ["Cache-Control", "ETag"]
_FILE = ResponseDescription(
    "The file. One whose name has a hash never changes.",
    {kind.partition(";")[0]: Text("") for kind in KINDS.values()},
    _CACHE_HEADERS,
)
_NOT_MODIFIED = ResponseDescription("Not modified.", headers=_CACHE_HEADERS)
_PARAMETERS = [
    Parameter("name", "path", {"type": "string"}, "The file's name."),
    Parameter(
        "If-None-Match",
        "header",
        {"type": "string"},
        "The ETag of the response that the client has.",
    ),
]


def blueprint(files: BuiltFiles) -> Blueprint:
    """The view."""
    views = Blueprint("console", __name__)

    @views.get("/console/assets/<name>")
    @describes(
        "Get a file of the console.",
        {200: _FILE, 304: _NOT_MODIFIED},
        errors=[NotFound],
        parameters=_PARAMETERS,
    )
    def asset(name: str) -> Response:
        response = files.asset(name)
        if response is None:
            raise NotFound
        return response

    return views
