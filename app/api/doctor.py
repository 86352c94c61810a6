"""`GET /doctor`: the rows of `claudecode2api doctor`, for the operator."""

from flask import Blueprint, Response, jsonify

from app.api.described.doctor import Report
from app.api.doctor_process import DoctorProcess
from app.errors import OperatorOnly
from app.http.access import require_operator
from app.openapi.describe import describes


def blueprint(process: DoctorProcess) -> Blueprint:
    """The view."""
    views = Blueprint("doctor", __name__)

    @views.get("/doctor")
    @describes(
        "Find problems of the gateway, with remedies.",
        {200: Report},
        details="For the operator alone. The checks are those of `claudecode2api doctor`, made by a"
        " process of the gateway's user on its machine, without a job. A check"
        " that takes longer than some seconds is not waited for.",
        errors=[OperatorOnly],
    )
    def doctor() -> Response:
        require_operator()
        rows = process.rows()
        return jsonify(rows=rows, ok=all(row["status"] != "failed" for row in rows))

    return views
