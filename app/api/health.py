"""`GET /`, `GET /health` and `GET /ready`: open to all."""

from flask import Blueprint, Response, jsonify

from app.api.described import schemas
from app.cli.installed import Installed
from app.cli.login import Login
from app.errors import Unavailable
from app.http.request_id import request_id
from app.jobs.health import Check, Fitness
from app.openapi.describe import Answer, describes
from app.version import VERSION

_UNWELL = Answer("Jobs cannot run here now.", {"application/json": schemas.Unwell})


def blueprint(claude: Installed, login: Login, fitness: Fitness) -> Blueprint:
    """The views."""
    views = Blueprint("health", __name__)

    @views.get("/")
    @describes("Who this is.", {200: schemas.Root})
    def root() -> Response:
        return jsonify(message="Claude Code API Gateway", docs="/docs", health="/health")

    @views.get("/health")
    @describes(
        "Is it up; which CLI; is the CLI logged in.",
        {200: schemas.Health, 503: _UNWELL},
        errors=[Unavailable],
        error_body=schemas.Unwell,
    )
    def health() -> Response:
        checks = fitness.checks()
        logged_in = login.logged_in()
        told = {name: {"ok": check.ok, **check.told} for name, check in checks.items()}
        # Jobs of who is not logged in fail by themselves and say why; the gateway is well.
        told["claude"].update(version=claude.version, logged_in=logged_in)
        return _answer(
            checks,
            claude_path=claude.path,
            claude_version=claude.version,
            logged_in=logged_in,
            version=VERSION,
            checks=told,
        )

    @views.get("/ready")
    @describes(
        "Can jobs run? For balancers.",
        {200: schemas.Ready, 503: _UNWELL},
        errors=[Unavailable],
        error_body=schemas.Unwell,
    )
    def ready() -> Response:
        return _answer(fitness.checks())

    return views


def _answer(looked_at: dict[str, Check], **fields: object) -> Response:
    """200, or else 503 with what any error of ours has."""
    unwell = [name for name, check in looked_at.items() if not check.ok]
    if not unwell:
        return jsonify(status="ok", **fields)
    answer = jsonify(
        status="unavailable",
        detail=f"Jobs cannot run: {', '.join(unwell)}",
        code=Unavailable.code,
        request_id=request_id(),
        **fields,
    )
    answer.status_code = Unavailable.status
    return answer
