"""`GET /log`: the last lines of the gateway's log, for the operator."""

from flask import Blueprint, Response, jsonify, request

from app.api.accept import prefers_text
from app.api.described.log import LogLines
from app.errors import DiskTooSlow, InvalidRequest, OperatorOnly
from app.http.access import require_operator
from app.http.query import whole_number_in_query
from app.logs import TextFormatter
from app.openapi.describe import Parameter, ResponseDescription, Text, describes
from app.server.native_thread import NativeThreads
from app.startup import Startup
from app.state.kept_log import KeptLog

#: The most lines of one answer.
MOST = 2000
# Bytes of the log that one answer may have.
_LONGEST = 512 << 10
_PATIENCE = 10.0

_LOG = ResponseDescription(
    "The lines, the newest last.",
    {
        "application/json": LogLines,
        "text/plain": Text("The lines alone.", "2026-11-21T12:00:00.000Z INFO 4711 app: …\n"),
    },
)
_PARAMETERS = [
    Parameter(
        "lines",
        "query",
        {"type": "integer", "minimum": 1, "maximum": MOST, "default": 200},
        "How many lines at most.",
    ),
]


def blueprint(startup: Startup, threads: NativeThreads) -> Blueprint:
    """The view."""
    views = Blueprint("log", __name__)
    kept = KeptLog(str(startup.settings.state_dir))
    # A job may have written there what it likes.
    clean = TextFormatter(startup.secrets()).clean

    @views.get("/log")
    @describes(
        "Get the last lines of the gateway's log.",
        {200: _LOG},
        details="For the operator alone. About the last megabyte is kept. With"
        " `Accept: text/plain`, the lines alone.",
        errors=[DiskTooSlow, InvalidRequest, OperatorOnly],
        parameters=_PARAMETERS,
    )
    def log() -> Response:
        require_operator()
        count = whole_number_in_query("lines", 200, 1, MOST)

        def read() -> list[str]:
            return [clean(line) for line in kept.lines(count, _LONGEST)]

        try:
            # To escape half a megabyte of control characters takes a third of a second.
            lines = threads.call(read, _PATIENCE)
        except TimeoutError:
            raise DiskTooSlow from None
        if prefers_text(request.headers.get("Accept", "")):
            text = "".join(f"{line}\n" for line in lines)
            response = Response(text, mimetype="text/plain")
        else:
            response = jsonify(lines=lines, count=len(lines))
        response.vary.add("Accept")
        return response

    return views
