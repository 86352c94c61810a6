"""`GET /health` and `GET /ready`: whether the gateway is up and can run jobs; open to all."""

from collections.abc import Callable

from flask import Blueprint, Response, jsonify

from app.api import root
from app.api.described.health import Health, Ready, Unhealthy
from app.api.monitor_checks import MonitorChecks
from app.cli.capabilities import ALL, Capabilities
from app.cli.installed import Installed
from app.cli.login import Login
from app.errors import Unavailable
from app.http.request_id import request_id
from app.jobs.health import Check, HealthChecks
from app.openapi.describe import ResponseDescription, describes
from app.version import VERSION

_UNHEALTHY = ResponseDescription("Jobs cannot run.", {"application/json": Unhealthy})


def blueprint(
    claude: Installed,
    login: Login,
    health_checks: HealthChecks,
    monitor: MonitorChecks,
    console: Callable[[], Response | None],
) -> Blueprint:
    """The views; `console` makes the page of `GET /`, if there is one."""
    views = Blueprint("health", __name__)
    root.add_routes(views, console)

    @views.get("/health")
    @describes(
        "Check the gateway: its version, and the CLI's version and login.",
        {200: Health, 503: _UNHEALTHY},
        errors=[Unavailable],
        error_body=Unhealthy,
    )
    def health() -> Response:
        checks = health_checks.results()
        logged_in = login.logged_in()
        reported = {name: {"ok": check.ok, **check.details} for name, check in checks.items()}
        # Not a failed check: without a login the gateway works, and each job reports the reason.
        reported["claude"].update(version=claude.version, logged_in=logged_in)
        reported.update(monitor.checks(checks, claude.version))
        return _response(
            checks,
            claude_path=claude.path,
            claude_version=claude.version,
            logged_in=logged_in,
            capabilities=_capabilities(claude.capabilities),
            version=VERSION,
            checks=reported,
            **monitor.fields(),
        )

    @views.get("/ready")
    @describes(
        "Check whether jobs can run; for load balancers.",
        {200: Ready, 503: _UNHEALTHY},
        errors=[Unavailable],
        error_body=Unhealthy,
    )
    def ready() -> Response:
        return _response(health_checks.results())

    return views


def _capabilities(found: Capabilities) -> dict[str, bool] | None:
    """Whether the CLI has each capability; None while that is not known."""
    return None if found is None else {name: name in found for name in sorted(ALL)}


def _response(results: dict[str, Check], **fields: object) -> Response:
    """200, or 503 with the fields of every error."""
    failed = [name for name, check in results.items() if not check.ok]
    if not failed:
        return jsonify(status="ok", **fields)
    response = jsonify(
        status="unavailable",
        detail=f"Jobs cannot run: {', '.join(failed)}",
        code=Unavailable.code,
        request_id=request_id(),
        **fields,
    )
    response.status_code = Unavailable.status
    return response
