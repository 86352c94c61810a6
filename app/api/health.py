"""`GET /`, `GET /health` and `GET /ready`: open to all."""

from flask import Blueprint, Response, jsonify

from app.cli.locator import Claude
from app.cli.login import Login
from app.jobs.fitness import Fitness
from app.version import VERSION


def blueprint(claude: Claude, login: Login, fitness: Fitness) -> Blueprint:
    """The views."""
    views = Blueprint("health", __name__)

    @views.get("/")
    def root() -> Response:
        return jsonify(message="Claude Code API Gateway", docs="/docs", health="/health")

    @views.get("/health")
    def health() -> Response:
        logged_in = login.logged_in()
        checks = fitness.checks()
        well = all(check.ok for check in checks.values())
        told = {name: {"ok": check.ok, **check.told} for name, check in checks.items()}
        # Jobs of who is not logged in fail by themselves and say why; the gateway is well.
        told["claude"].update(version=claude.version, logged_in=logged_in)
        answer = jsonify(
            status="ok" if well else "unavailable",
            claude_path=claude.path,
            claude_version=claude.version,
            logged_in=logged_in,
            version=VERSION,
            checks=told,
        )
        answer.status_code = 200 if well else 503
        return answer

    @views.get("/ready")
    def ready() -> Response:
        well = all(check.ok for check in fitness.checks().values())
        answer = jsonify(ready=well)
        answer.status_code = 200 if well else 503
        return answer

    return views
