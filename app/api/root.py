"""`GET /`: the console for a browser, and for programs the name of the service, with links."""

from collections.abc import Callable

from flask import Blueprint, Response, jsonify, request

from app.api.accept import prefers_page
from app.api.described.health import Root
from app.openapi.describe import Parameter, ResponseDescription, Text, describes

_PAGE_HEADERS = ["ETag", "Cache-Control", "Content-Security-Policy"]
_FOUND = ResponseDescription(
    "The name of the service, and links; or the console, for a client that prefers text/html to"
    " JSON.",
    {"application/json": Root, "text/html": Text("The console, unless CONSOLE is false.")},
    sometimes=_PAGE_HEADERS,
)
_NOT_MODIFIED = ResponseDescription("The page is not modified.", headers=_PAGE_HEADERS)
_PARAMETERS = [
    Parameter(
        "If-None-Match", "header", {"type": "string"}, "The ETag of the page that the client has."
    ),
]


def add_routes(views: Blueprint, console: Callable[[], Response | None]) -> None:
    """Add the view to the blueprint of `/health`, whose tag it has in the OpenAPI document.

    `console` makes the page for browsers, and returns None if there is none.
    """

    @views.get("/")
    @describes(
        "Get the console, or the name of the service with links.",
        {200: _FOUND, 304: _NOT_MODIFIED},
        parameters=_PARAMETERS,
    )
    def root() -> Response:
        page = console() if prefers_page(request.headers.get("Accept", "")) else None
        response = page or jsonify(
            message="Claude Code API Gateway", docs="/docs", health="/health"
        )
        response.vary.add("Accept")
        return response
