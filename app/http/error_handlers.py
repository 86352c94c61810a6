"""Error handlers: every error becomes JSON, in the shape that the API's clients expect."""

import logging
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from flask import Blueprint, Flask, Response, g, jsonify, request
from flask.sansio.blueprints import BlueprintSetupState
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from app.errors import (
    GatewayError,
    InternalError,
    JobContinues,
    NotAuthenticated,
    TooManyAttempts,
)
from app.http.error_response import ErrorRenderer, ErrorResponse
from app.http.request_id import request_id
from app.metrics import Metrics

log = logging.getLogger(__name__)

_FORMATS = "error_formats"
# Characters of a path that a hint repeats.
_LONGEST_PATH = 200


class ErrorFormat(NamedTuple):
    """The errors of an API whose clients expect another shape than ours.

    It is used by the blueprints of that API (`use_format`), and below `prefix` for paths and
    methods that do not exist. `hint_for` returns advice for a client of that API that requests a
    path that does not exist, and None for a path that such clients do not request. With a
    `header`, the format is only for requests that have it.
    """

    prefix: str
    render: ErrorRenderer
    hint_for: Callable[[str], str | None]
    header: str | None = None

    def covers(self, path: str) -> bool:
        """Whether a path is below the prefix."""
        return f"{path}/".startswith(self.prefix)

    def is_wanted(self) -> bool:
        """Whether the client of the current request may expect this format."""
        return self.header is None or self.header in request.headers


def install(app: Flask, formats: Sequence[ErrorFormat], metrics: Metrics) -> None:
    """Answer every error with JSON, never with an HTML page.

    Where none of the `formats` is used, errors have our own shape: `detail`, `code`, `request_id`.
    """
    handlers = _ErrorHandlers(app, formats, metrics)
    app.register_error_handler(GatewayError, handlers.gateway_error)
    app.register_error_handler(HTTPException, handlers.http_error)
    app.register_error_handler(Exception, handlers.unexpected_error)


def use_format(blueprint: Blueprint, *formats: ErrorFormat) -> None:
    """Report the errors of this blueprint's views in the first format that a request wants."""

    @blueprint.record
    def set_format(state: BlueprintSetupState) -> None:
        state.app.extensions.setdefault(_FORMATS, {})[blueprint.name] = formats


class _ErrorHandlers:
    def __init__(self, app: Flask, formats: Sequence[ErrorFormat], metrics: Metrics) -> None:
        self._app = app
        self._formats = formats
        self._metrics = metrics

    def gateway_error(self, error: GatewayError) -> Response:
        if isinstance(error, NotAuthenticated | TooManyAttempts):
            self._metrics.count_refusal(error.code)
        error_format = self._format()
        return _flask_response(
            _render(error) if error_format is None else error_format.render(error)
        )

    def http_error(self, error: HTTPException) -> Response:
        headers = {
            name: value
            for name, value in error.get_headers(request.environ)
            if name not in ("Content-Type", "Content-Length")
        }
        ours = GatewayError(error.name)
        ours.status = error.code or 500
        ours.code = (error.name or "error").lower().replace(" ", "_").replace("'", "")
        if isinstance(error, NotFound | MethodNotAllowed):
            allowed = getattr(error, "valid_methods", None) or ()
            response = self._wrong_path_or_method(ours, [*allowed])
        else:
            response = self.gateway_error(ours)
        response.headers.extend(headers)
        return response

    def unexpected_error(self, error: Exception) -> Response:
        # The type alone: the message may hold what the client sent.
        log.error(
            "request %s failed: %s",
            request_id(),
            type(error).__name__,
            exc_info=_without_message(error),
        )
        job_id = g.get("job_id")
        return self.gateway_error(JobContinues(job_id) if job_id else InternalError())

    def _format(self) -> ErrorFormat | None:
        if request.blueprint is None:
            formats = [each for each in self._formats if each.covers(request.path)]
        else:
            formats = self._app.extensions.get(_FORMATS, {}).get(request.blueprint, [])
        return next((each for each in formats if each.is_wanted()), None)

    def _wrong_path_or_method(self, error: GatewayError, allowed: Sequence[str]) -> Response:
        path = request.path
        wanted = [each for each in self._formats if each.is_wanted()]
        intended = next((each for each in wanted if each.hint_for(path)), None)
        if intended is not None:
            error.hint = intended.hint_for(path)
        elif allowed:
            error.hint = f"This path takes {', '.join(sorted(allowed))}"
        else:
            error.hint = _hint_for(self._app, path)
        if intended is None or intended.covers(path):
            return self.gateway_error(error)
        # Clients of that API read one shape, our own clients the other.
        ours, theirs = _render(error), intended.render(error)
        return _flask_response(theirs._replace(body={**ours.body, **theirs.body}))


def mark_job_started(job_id: str) -> None:
    """Note that the current request has started a job.

    From now on an unexpected error is a JobContinues, which clients do not retry.
    """
    g.job_id = job_id


def _hint_for(app: Flask, path: str) -> str:
    """Advice for a client that requests a path that does not exist."""
    plain = re.sub("/{2,}", "/", path).rstrip("/")
    if plain != path and app.url_map.bind("").allowed_methods(plain):
        return f"The path is {plain[:_LONGEST_PATH]}: single slashes, and none at the end"
    return "GET /docs lists all paths"


def _render(error: GatewayError) -> ErrorResponse:
    body = {"detail": error.detail, "code": error.code, "request_id": request_id()}
    if error.hint:
        body["hint"] = error.hint
    return ErrorResponse(error.status, body, error.headers())


def _flask_response(rendered: ErrorResponse) -> Response:
    response = jsonify(rendered.body)
    response.status_code = rendered.status
    response.headers.extend(rendered.headers)
    return response


def _without_message(error: BaseException) -> BaseException:
    """The error's type and traceback."""
    bare = RuntimeError(type(error).__name__)
    return bare.with_traceback(error.__traceback__)
