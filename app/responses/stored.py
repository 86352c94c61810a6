"""The stored responses: `/v1/responses/<id>`, its items, and its cancellation."""

from contextlib import suppress
from itertools import chain
from typing import Any

from flask import Blueprint, Response, g, jsonify, request

from app.auth.users import User
from app.conversation.errors import BadParameter
from app.conversation.events import Event
from app.errors import InvalidRequest, JobNotEnded, JobNotFound, JobStillRunning, Unavailable
from app.http.query import whole_number_in_query
from app.http.stream_response import stream_response
from app.openai.openapi_models import OpenAIError
from app.openapi.describe import Parameter, describes
from app.responses import openapi_models
from app.responses.answer import ResponseAnswer
from app.responses.errors import NotInBackground, ResponseNotFound
from app.responses.replay import Replay
from app.responses.store import StoredResponse

_ID = Parameter("response_id", "path", {"type": "string"}, "The `id` of the response.")
_HIGHEST_LIMIT = 100
_HIGHEST_NUMBER = 999_999_999
_READ = describes(
    "Get a stored response.",
    openapi_models.STORED_RESPONSE,
    details="One that runs in the background has its output once its `status` is `completed`; with"
    " `stream`, it comes in events while the model writes it.",
    errors=[ResponseNotFound, InvalidRequest, BadParameter],
    error_body=OpenAIError,
    parameters=[
        _ID,
        Parameter(
            "stream",
            "query",
            {"type": "boolean", "default": False},
            "true: all events of a response in the background from its beginning, as long as its"
            " job is kept.",
        ),
        Parameter(
            "starting_after",
            "query",
            {"type": "integer", "minimum": 0, "maximum": _HIGHEST_NUMBER},
            "With `stream`: only the events after the one with this `sequence_number`.",
        ),
    ],
)
_REMOVE = describes(
    "Delete a stored response.",
    {200: openapi_models.DeletedResponse},
    details="Its job is deleted, too; one that runs is cancelled. Responses that continue it can"
    " then be read, but not be continued. A conversation that ends with it goes on from the one"
    " before.",
    errors=[ResponseNotFound, Unavailable],
    error_body=OpenAIError,
    parameters=[_ID],
)
_CANCEL = describes(
    "Cancel a response that runs in the background.",
    {200: openapi_models.ResponseObject},
    details="One that has ended stays as it is.",
    errors=[ResponseNotFound, NotInBackground, JobNotEnded],
    error_body=OpenAIError,
    parameters=[_ID],
)
_ITEMS = describes(
    "List the items in the `input` of a stored response.",
    {200: openapi_models.InputItems},
    details="Those of the responses before it are not among them.",
    errors=[ResponseNotFound, InvalidRequest, BadParameter],
    error_body=OpenAIError,
    parameters=[
        _ID,
        Parameter(
            "order",
            "query",
            {"type": "string", "enum": ["asc", "desc"], "default": "desc"},
            "`desc`: the last item first.",
        ),
        Parameter(
            "limit",
            "query",
            {"type": "integer", "minimum": 1, "maximum": _HIGHEST_LIMIT, "default": 20},
            "How many items at most.",
        ),
        Parameter(
            "after",
            "query",
            {"type": "string"},
            "Only the items after the one with this id: the next page.",
        ),
    ],
)


def add_routes(views: Blueprint, replay: Replay) -> None:
    """Add the views to a blueprint."""

    @views.get("/v1/responses/<response_id>")
    @_READ
    def one(response_id: str) -> Response:
        record = _find(replay, response_id, g.user)
        stream = request.args.get("stream", "false")
        if stream not in ("true", "false"):
            raise BadParameter("stream", "Must be true or false")
        if stream == "true":
            return _stream(replay, record, g.user)
        return jsonify(replay.current(record, g.user).response)

    @views.delete("/v1/responses/<response_id>")
    @_REMOVE
    def remove(response_id: str) -> Response:
        record = _find(replay, response_id, g.user)
        try:
            replay.store.remove(record)
        except OSError as error:
            raise Unavailable(f"cannot delete the response: {error.strerror}") from error
        with suppress(JobNotFound):
            try:
                replay.jobs.remove(record.job_id, g.user)
            except JobStillRunning:
                replay.jobs.abandon(
                    replay.jobs.find(record.job_id, g.user), "its response was deleted"
                )
        return jsonify(id=record.id, object="response", deleted=True)

    @views.post("/v1/responses/<response_id>/cancel")
    @_CANCEL
    def cancel(response_id: str) -> Response:
        record = _find(replay, response_id, g.user)
        if not record.is_background:
            raise NotInBackground("Only a response that runs in the background can be cancelled")
        if record.response is None:
            # It may end by itself at this moment.
            with suppress(JobNotFound):
                replay.jobs.cancel(record.job_id, g.user)
        return jsonify(replay.current(record, g.user).response)

    @views.get("/v1/responses/<response_id>/input_items")
    @_ITEMS
    def input_items(response_id: str) -> Response:
        return jsonify(_page(_find(replay, response_id, g.user)))


def _find(replay: Replay, response_id: str, user: User) -> StoredResponse:
    record = replay.store.find(response_id, user)
    if record is None:
        raise ResponseNotFound(response_id)
    return record


def _stream(replay: Replay, record: StoredResponse, user: User) -> Response:
    if not record.is_background:
        raise BadParameter(
            "stream", "Only a response that runs in the background can be streamed again"
        )
    after = whole_number_in_query("starting_after", -1, 0, _HIGHEST_NUMBER)
    job = replay.job_of(record, user)
    builder = replay.builder_of(record, job)

    def finish() -> None:
        if record.response is None:
            replay.completed(record, builder.response)

    def note(event: Event) -> None:
        """Nothing is recorded of single events."""

    events = replay.events_of(record, job, request.environ)
    answer = ResponseAnswer(builder, job, replay.jobs.metrics, note, finish, in_background=True)
    # The first events are there already.
    stream = answer.stream(chain([[]], events), after)
    response = stream_response(stream, "text/event-stream", job.id)
    response.call_on_close(events.close)
    return response


def _page(record: StoredResponse) -> dict[str, Any]:
    order = request.args.get("order", "desc")
    if order not in ("asc", "desc"):
        raise BadParameter("order", "Must be asc or desc")
    limit = whole_number_in_query("limit", 20, 1, _HIGHEST_LIMIT)
    items = [
        {
            "type": "message",
            "status": "completed",
            **item,
            # Most clients give their items none.
            "id": item.get("id") or f"item_{record.job_id}_{number}",
        }
        for number, item in enumerate(record.input)
    ]
    if order == "desc":
        items.reverse()
    after = request.args.get("after")
    if after is not None:
        ids = [item["id"] for item in items]
        if after not in ids:
            raise BadParameter("after", f"There is no item {after[:100]!r}")
        items = items[ids.index(after) + 1 :]
    page = items[:limit]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": len(items) > limit,
    }
