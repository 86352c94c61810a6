"""`GET /`: the name of the service, and where to look next."""

from flask import Blueprint, Response, jsonify

from app.api.described.health import Root
from app.openapi.describe import describes


def add_routes(views: Blueprint) -> None:
    """Add the view to the blueprint of `/health`, whose tag it has in the OpenAPI document."""

    @views.get("/")
    @describes("Get the name of the service, and links.", {200: Root})
    def root() -> Response:
        return jsonify(message="Claude Code API Gateway", docs="/docs", health="/health")
