"""`GET /whoami`: the user whose credentials a request has."""

from flask import Blueprint, Response, g, jsonify

from app.api.described.whoami import Identity
from app.openapi.describe import describes


def blueprint() -> Blueprint:
    """The view."""
    views = Blueprint("whoami", __name__)

    @views.get("/whoami")
    @describes(
        "Get your name.",
        {200: Identity},
        details="The name that jobs and the log show for the credentials of this request.",
    )
    def whoami() -> Response:
        return jsonify(user=g.user.name, operator=g.user.is_operator)

    return views
