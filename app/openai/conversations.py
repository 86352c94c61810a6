"""`/v1/conversations`: start, list and read conversations."""

import json
from functools import partial
from typing import Any

from flask import Blueprint, Response, g, jsonify, request
from pydantic import BaseModel, ConfigDict, Field

from app.conversation.conversations import ConversationRecord, Conversations
from app.conversation.errors import BadParameter, ConversationNotFound
from app.errors import Unavailable, UnsupportedMediaType
from app.http.body import BODY_ERRORS, BodyReader
from app.json_body import read_object, validate
from app.openai import openapi_models
from app.openapi import describe
from app.openapi.describe import Body, Parameter

#: Characters of a conversation's metadata as JSON.
LARGEST_METADATA = 16_384


class NewConversation(BaseModel):
    """The body of `POST /v1/conversations`, which is optional."""

    model_config = ConfigDict(extra="forbid")

    metadata: dict[str, Any] | None = Field(
        None, description="Any values of yours; responses have them."
    )


def add_routes(views: Blueprint, conversations: Conversations, bodies: BodyReader) -> None:
    """Add the views to a blueprint."""
    describes = partial(describe.describes, error_body=openapi_models.OpenAIError)

    @views.post("/v1/conversations")
    @describes(
        "Start a conversation.",
        {200: openapi_models.Conversation},
        errors=[*BODY_ERRORS, BadParameter, Unavailable],
        body=Body(
            {"application/json": NewConversation},
            {"with metadata": {"metadata": {"topic": "files"}}},
            required=False,
        ),
    )
    def create() -> Response:
        body = bodies.read(request)
        if body and request.mimetype != "application/json":
            raise UnsupportedMediaType
        fields = validate(NewConversation, read_object(body or b"{}"))
        metadata = fields.metadata or {}
        _check_metadata(metadata)
        try:
            return jsonify(_render(conversations.create(g.user, metadata)))
        except OSError as error:
            raise Unavailable(f"cannot write the conversation: {error.strerror}") from error

    @views.get("/v1/conversations")
    @describes(
        "List your conversations, the last used first.",
        {200: openapi_models.ConversationList},
        details="The operator gets those of all users.",
    )
    def all_conversations() -> Response:
        rows = [_render(record) for record in conversations.of(g.user)]
        return jsonify(object="list", data=rows)

    @views.get("/v1/conversations/<conversation_id>")
    @describes(
        "Get one conversation.",
        {200: openapi_models.Conversation},
        errors=[ConversationNotFound],
        parameters=[
            Parameter("conversation_id", "path", {"type": "string"}, "The conversation's id.")
        ],
    )
    def one_conversation(conversation_id: str) -> Response:
        record = conversations.find(conversation_id, g.user)
        if record is None:
            raise ConversationNotFound(conversation_id)
        return jsonify(_render(record))


def _check_metadata(metadata: dict[str, Any]) -> None:
    """Raises BadParameter if the metadata cannot be stored."""
    try:
        size = len(json.dumps(metadata, allow_nan=False))
    except ValueError:
        raise BadParameter("metadata", "metadata must have finite numbers") from None
    if size > LARGEST_METADATA:
        raise BadParameter("metadata", f"metadata must have at most {LARGEST_METADATA} characters")


def _render(record: ConversationRecord) -> dict[str, Any]:
    """A conversation in the format of OpenAI's API, with additional fields."""
    return {
        "id": record.id,
        "object": "conversation",
        "created_at": record.created_at,
        "metadata": record.metadata,
        "updated_at": record.updated_at,
        "turns": record.turns,
        "model": record.model,
        "cwd": record.cwd,
    }
