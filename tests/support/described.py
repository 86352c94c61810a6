"""Checks a response against the OpenAPI document.

`tests.support.gateway` passes every response here, so whatever a test provokes must be described: a
status, a code, a header, a key.
"""

import json
import tempfile
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import unquote

import requests
from flask import Flask
from pydantic import BaseModel
from werkzeug.exceptions import HTTPException

from app.application import create_app
from app.auth.users import assign
from app.cli.locator import Claude
from app.http import access
from app.openapi.describe import Description, Text, description_of
from app.openapi.error_models import ErrorBody
from app.openapi.headers import HEADERS
from app.openapi.operation import errors_of
from app.processes import this_process
from app.runs.launcher.client import Capacity
from app.settings import Settings
from app.startup import Startup

#: What answers where there is no view.
NOWHERE = {404: "not_found", 405: "method_not_allowed"}


class View(NamedTuple):
    """A view of the application, and the errors that it may answer, by status and code."""

    description: Description
    errors: dict[int, dict[str, set[str]]]


@cache
def application() -> Flask:
    """The application, for what it knows of itself."""
    with tempfile.TemporaryDirectory() as state:
        settings = Settings.load({"AUTH_PASSWORD": "x", "STATE_DIR": state})
        users = assign("admin", [], shares=False, known=None, has_data=False)
        claude = Claude("/bin/true", "1.0", "PATH")
        startup = Startup(settings, {}, claude, users, Capacity(1, 1, 0, 0, 0), "")
        return create_app(startup, this_process())


def view_of(method: str, path: str) -> View | None:
    """The view that answers this."""
    try:
        endpoint, _ = application().url_map.bind("").match(path, method)
    except HTTPException:
        return None
    description = description_of(application().view_functions[endpoint])
    assert description is not None, endpoint
    errors: dict[int, dict[str, set[str]]] = {}
    for error in errors_of(description, access.is_protected(application(), endpoint)):
        errors.setdefault(error.status, {})[error.code] = set(error.header_names)
    return View(description, errors)


def check_answer(answer: requests.Response, whole: bool) -> None:
    """Fail unless the document describes this answer; its body is looked at if it is `whole`."""
    method, url = str(answer.request.method), str(answer.request.path_url)
    if method in ("HEAD", "OPTIONS"):
        return
    kind = answer.headers.get("Content-Type", "").partition(";")[0]
    # As WSGI does it, before the views are looked for.
    view = view_of(method, unquote(url.partition("?")[0]))
    body = answer.json() if whole and kind == "application/json" else {}
    status = answer.status_code
    where = f"{method} {url} answers {status} {kind} {body}"
    names = {name for name in HEADERS if name in answer.headers}
    if view is None:
        code = body.get("code") or body.get("error", {}).get("code")
        assert code in (NOWHERE.get(status), "host_not_allowed"), where
        assert names == {"X-Request-ID"}, where
        return
    errors = view.errors.get(status, {})
    error_body, *other_bodies = view.description.error_bodies
    if error_body is not ErrorBody and "error" in body and status >= 400:
        # Another face's shape, whose codes are its own.
        check_body(
            other_bodies[0] if other_bodies and "type" in body else error_body, answer.content
        )
        assert errors or status in view.description.responses, where
        return
    described = view.description.responses.get(status)
    if body.get("code") in errors:
        check_body(error_body, answer.content)
        assert names == {"X-Request-ID", *errors[body["code"]]}, where
        assert answer.headers["X-Request-ID"] == body["request_id"]
    elif described is not None:
        assert names - set(described.sometimes) == {"X-Request-ID", *described.headers}, where
        held = described.content.get(kind)
        assert kind in described.content or not described.content, where
        if body and held is not None and not isinstance(held, Text):
            check_body(held, answer.content)
    else:
        assert errors and not whole, where


def check_body(model: type[BaseModel], text: bytes) -> Any:
    """Fail unless this is the model as JSON, with no other key and no other type."""
    # What the CLI wrote may hold half of a surrogate pair, which pydantic's reader refuses.
    plain = json.dumps(json.loads(text), ensure_ascii=False).encode(errors="replace")
    return model.model_validate_json(plain, strict=True, extra="forbid")
