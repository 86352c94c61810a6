"""`GET /v1/models` and `/v1/conversations`."""

import json
from functools import partial
from typing import Any

from flask import Blueprint, Response, g, jsonify, request
from pydantic import BaseModel, ConfigDict

from app.conversation.errors import BadParameter, ConversationNotFound, ModelNotFound
from app.conversation.models import Models
from app.conversation.sessions import Sessions
from app.errors import Unavailable, UnsupportedMediaType
from app.http.body import BodyReader
from app.json_body import read_object, validate
from app.openai import described
from app.openapi import describe
from app.openapi.describe import Body, Parameter

#: Characters of a conversation's metadata, as JSON.
LARGEST_METADATA = 16_384


class NewConversation(BaseModel):
    """The body of `POST /v1/conversations`, which may be left out."""

    model_config = ConfigDict(extra="forbid")

    metadata: dict[str, Any] | None = None


def blueprint(models: Models, sessions: Sessions, bodies: BodyReader) -> Blueprint:
    """The views."""
    views = Blueprint("catalog", __name__)
    describes = partial(describe.describes, error_body=described.OpenAIError)

    @views.get("/v1/models")
    @describes("The models that can be asked for.", {200: described.ModelList})
    def all_models() -> Response:
        return jsonify(object="list", data=models.rows())

    @views.get("/v1/models/<path:model>")
    @describes(
        "One model.",
        {200: described.ModelRow},
        errors=[ModelNotFound],
        parameters=[Parameter("model", "path", {"type": "string"}, "Its name.")],
    )
    def one_model(model: str) -> Response:
        return jsonify(models.row(model))

    @views.post("/v1/conversations")
    @describes(
        "Begin a conversation.",
        {200: described.Conversation},
        errors=[*described.REFUSED, Unavailable],
        body=Body({"application/json": NewConversation}, required=False),
    )
    def create() -> Response:
        body = bodies.read(request)
        if body and request.mimetype != "application/json":
            raise UnsupportedMediaType
        asked = validate(NewConversation, read_object(body or b"{}"))
        metadata = _checked(asked.metadata or {})
        try:
            return jsonify(_tell(sessions.create(g.user, metadata)))
        except OSError as error:
            raise Unavailable(f"cannot write the conversation: {error.strerror}") from error

    @views.get("/v1/conversations")
    @describes(
        "Your conversations, the last used first; to the operator all.",
        {200: described.ConversationList},
    )
    def all_conversations() -> Response:
        return jsonify(object="list", data=[_tell(record) for record in sessions.of(g.user)])

    @views.get("/v1/conversations/<conversation_id>")
    @describes(
        "One conversation.",
        {200: described.Conversation},
        errors=[ConversationNotFound],
        parameters=[Parameter("conversation_id", "path", {"type": "string"}, "Its id.")],
    )
    def one_conversation(conversation_id: str) -> Response:
        record = sessions.find(conversation_id, g.user)
        if record is None:
            raise ConversationNotFound(conversation_id)
        return jsonify(_tell(record))

    return views


def _checked(metadata: dict[str, Any]) -> dict[str, Any]:
    """Metadata that can be told again. Raises BadParameter."""
    try:
        size = len(json.dumps(metadata, allow_nan=False))
    except ValueError:
        raise BadParameter("metadata", "metadata must hold finite numbers") from None
    if size > LARGEST_METADATA:
        raise BadParameter("metadata", f"metadata must take at most {LARGEST_METADATA} characters")
    return metadata


def _tell(record: dict[str, Any]) -> dict[str, Any]:
    """A conversation as OpenAI's SDKs know it, with fields of our own."""
    return {
        "id": record["id"],
        "object": "conversation",
        "created_at": record["created_at"],
        "metadata": record["metadata"],
        "updated_at": record["updated_at"],
        "turns": record["turns"],
        "model": record["model"],
        "cwd": record["cwd"],
    }
