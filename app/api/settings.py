"""`GET /settings`: the settings in effect, for the operator."""

import os

from flask import Blueprint, Response, jsonify

from app.api.described.settings import SettingsInEffect
from app.errors import OperatorOnly
from app.http.access import require_operator
from app.logs import TextFormatter
from app.openapi.describe import describes
from app.server.reload_record import last_refusal
from app.shown_settings import shown_settings
from app.startup import Startup


def blueprint(startup: Startup) -> Blueprint:
    """The view."""
    views = Blueprint("settings", __name__)
    clean = TextFormatter(startup.secrets()).clean

    @views.get("/settings")
    @describes(
        "Get the settings in effect, and where each comes from.",
        {200: SettingsInEffect},
        details="For the operator alone. Secrets are `***`.",
        errors=[OperatorOnly],
    )
    def settings() -> Response:
        require_operator()
        refusal = last_refusal(str(startup.settings.state_dir))
        return jsonify(
            **shown_settings(startup.settings, startup.origins, os.environ, clean),
            last_refused_reload=refusal
            and {"at": clean(refusal.at), "error": clean(refusal.error)},
        )

    return views
