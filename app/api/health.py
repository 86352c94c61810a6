"""`GET /` and `GET /health`: open to all."""

from flask import Blueprint, Response, jsonify

from app.api import schemas
from app.cli.locator import Claude
from app.cli.login import Login
from app.web.describe import describes


def blueprint(claude: Claude, login: Login) -> Blueprint:
    """The views."""
    views = Blueprint("health", __name__)

    @views.get("/")
    @describes("Who this is.", {200: schemas.Root})
    def root() -> Response:
        return jsonify(message="Claude Code API Gateway", docs="/docs", health="/health")

    @views.get("/health")
    @describes("Is it up; which CLI; is the CLI logged in.", {200: schemas.Health})
    def health() -> Response:
        return jsonify(
            status="ok",
            claude_path=claude.path,
            claude_version=claude.version,
            logged_in=login.logged_in(),
        )

    return views
