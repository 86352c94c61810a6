"""The shape of an error: that of the blueprint which raises it, wherever its paths are."""

from pathlib import Path

import pytest
from flask import Blueprint, Flask

from app.errors import NotFound
from app.http import error_handlers, request_id
from app.http.error_response import ErrorResponse
from app.metrics import Metrics


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    """An application of two APIs below one prefix, one of which has a format of its own."""
    other = error_handlers.ErrorFormat(
        "/v1/", lambda error: ErrorResponse(418, {"code of theirs": error.code}, {}), lambda _: None
    )
    app = Flask("x", static_folder=None)
    request_id.install(app)
    error_handlers.install(app, [other], Metrics(tmp_path, 0))
    for name in ("theirs", "ours"):
        views = Blueprint(name, "x")

        @views.get(f"/{name}", endpoint="outside")
        @views.get(f"/v1/{name}", endpoint="inside")
        def fail() -> str:
            raise NotFound

        if name == "theirs":
            error_handlers.use_format(views, other)
        app.register_blueprint(views)
    return app


@pytest.mark.parametrize("path", ["/theirs", "/v1/theirs", "/v1/x"])
def test_a_blueprints_errors_have_its_format_and_so_have_unknown_paths_below_the_prefix(
    app: Flask, path: str
) -> None:
    response = app.test_client().get(path)
    assert (response.status_code, response.json) == (418, {"code of theirs": "not_found"})


@pytest.mark.parametrize("path", ["/ours", "/v1/ours", "/x"])
def test_every_other_error_has_our_shape(app: Flask, path: str) -> None:
    response = app.test_client().get(path)
    assert response.status_code == 404
    assert response.json is not None
    assert response.json["code"] == "not_found"
    assert response.json["request_id"]
