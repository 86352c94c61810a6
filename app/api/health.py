"""`GET /` and `GET /health`: open to all."""

from flask import Blueprint, Response, jsonify

from app.cli.locator import Claude
from app.cli.login import Login


def blueprint(claude: Claude, login: Login) -> Blueprint:
    """The views."""
    views = Blueprint("health", __name__)

    @views.get("/")
    def root() -> Response:
        return jsonify(message="Claude Code API Gateway", docs="/docs", health="/health")

    @views.get("/health")
    def health() -> Response:
        return jsonify(
            status="ok",
            claude_path=claude.path,
            claude_version=claude.version,
            logged_in=login.logged_in(),
        )

    return views
