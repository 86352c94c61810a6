"""`POST /v1/messages/count_tokens`."""

from flask import Blueprint, Response, jsonify, request

from app.anthropic import openapi_models
from app.anthropic.direct_message import DirectMessages
from app.anthropic.message_body import CountRequest, read_fields
from app.anthropic.token_estimate import estimated_tokens
from app.conversation.model_turns import ModelTurns
from app.json_body import read_object
from app.openapi.describe import Body, describes

_EXAMPLES = {
    "a question": {
        "model": "sonnet",
        "messages": [{"role": "user", "content": "What is a pipe?"}],
    }
}


def add_route(views: Blueprint, turns: ModelTurns, direct: DirectMessages) -> None:
    """Add the view to a blueprint."""

    @views.post("/v1/messages/count_tokens")
    @describes(
        "Count the tokens of a conversation.",
        openapi_models.TOKEN_COUNT,
        details="An estimate: four ASCII characters, or one other character, count as one token."
        " For a model of the direct backend, the model's API counts them.",
        body=Body({"application/json": CountRequest}, _EXAMPLES),
        errors=openapi_models.REQUEST_ERRORS,
        error_body=openapi_models.AnthropicError,
    )
    def count_tokens() -> Response:
        body = turns.requests.bodies.read_json_bytes(request)
        fields = read_object(body)
        counted = direct.count(body, fields)
        if counted is not None:
            return jsonify(counted)
        asked = read_fields(CountRequest, fields)
        turns.models.resolve(asked.model)
        tokens = estimated_tokens(asked.conversation(), asked.client_tools())
        response = jsonify(input_tokens=tokens)
        response.headers["X-Estimated"] = "true"
        return response
