"""`GET /v1/models`."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from flask import Blueprint, Response, jsonify, request
from pydantic import BaseModel

from app.conversation.errors import ModelNotFound
from app.conversation.models import Models
from app.openai import openapi_models
from app.openapi import describe
from app.openapi.describe import Parameter, ResponseDescription, Text
from app.openapi.json_schema import reference


class ModelsFormat(NamedTuple):
    """The format of another API for the same paths: what renders it, and what describes it."""

    render_all: Callable[[Models], dict[str, Any]]
    render_one: Callable[[Models, str], dict[str, Any]]
    all_models: type[BaseModel]
    one_model: type[BaseModel]
    error: type[BaseModel]


def add_routes(views: Blueprint, models: Models, header: str, other: ModelsFormat) -> None:
    """Add the views to a blueprint. A request with the `header` gets the `other` format."""
    bodies = (openapi_models.OpenAIError, other.error)
    describes = partial(describe.describes, error_body=bodies)

    @views.get("/v1/models")
    @describes(
        "List the models.",
        {200: _either("The models.", openapi_models.ModelList, other.all_models)},
        details=f"With the header `{header}`, in the format of that API.",
        parameters=[_header(header)],
    )
    def all_models() -> Response:
        if header in request.headers:
            return jsonify(other.render_all(models))
        return jsonify(object="list", data=[_render(name, models.created) for name in models.names])

    @views.get("/v1/models/<path:model>")
    @describes(
        "Get one model.",
        {200: _either("The model.", openapi_models.ModelRow, other.one_model)},
        errors=[ModelNotFound],
        parameters=[
            Parameter("model", "path", {"type": "string"}, "The name of the model."),
            _header(header),
        ],
    )
    def one_model(model: str) -> Response:
        models.resolve(model)
        if header in request.headers:
            return jsonify(other.render_one(models, model))
        return jsonify(_render(model, models.created))


def _render(name: str, created: int) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": "anthropic"}


def _either(what: str, *bodies: type[BaseModel]) -> ResponseDescription:
    text = Text(what, schema={"anyOf": [reference(body) for body in bodies]}, models=bodies)
    return ResponseDescription(what, {"application/json": text})


def _header(name: str) -> Parameter:
    return Parameter(name, "header", {"type": "string"}, "The other format is wanted.")
