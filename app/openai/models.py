"""`GET /v1/models`."""

from functools import partial
from typing import Any

from flask import Blueprint, Response, jsonify

from app.conversation.errors import ModelNotFound
from app.conversation.models import Models
from app.openai import openapi_models
from app.openapi import describe
from app.openapi.describe import Parameter


def add_routes(views: Blueprint, models: Models) -> None:
    """Add the views to a blueprint."""
    describes = partial(describe.describes, error_body=openapi_models.OpenAIError)

    @views.get("/v1/models")
    @describes("List the models.", {200: openapi_models.ModelList})
    def all_models() -> Response:
        return jsonify(object="list", data=[_render(name, models.created) for name in models.names])

    @views.get("/v1/models/<path:model>")
    @describes(
        "Get one model.",
        {200: openapi_models.ModelRow},
        errors=[ModelNotFound],
        parameters=[Parameter("model", "path", {"type": "string"}, "The name of the model.")],
    )
    def one_model(model: str) -> Response:
        models.resolve(model)
        return jsonify(_render(model, models.created))


def _render(name: str, created: int) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": "anthropic"}
