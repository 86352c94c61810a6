"""`POST /v1/messages/count_tokens`."""

from flask import Blueprint, Response, jsonify, request

from app.anthropic import openapi_models
from app.anthropic.message_body import CountRequest, read_request
from app.anthropic.token_estimate import estimated_tokens
from app.conversation.model_turns import ModelTurns
from app.openapi.describe import Body, describes

_EXAMPLES = {
    "a question": {
        "model": "sonnet",
        "messages": [{"role": "user", "content": "What is a pipe?"}],
    }
}


def add_route(views: Blueprint, turns: ModelTurns) -> None:
    """Add the view to a blueprint."""

    @views.post("/v1/messages/count_tokens")
    @describes(
        "Estimate the tokens of a conversation.",
        openapi_models.TOKEN_COUNT,
        details="Four ASCII characters, or one other character, count as one token.",
        body=Body({"application/json": CountRequest}, _EXAMPLES),
        errors=openapi_models.REQUEST_ERRORS,
        error_body=openapi_models.AnthropicError,
    )
    def count_tokens() -> Response:
        asked = read_request(CountRequest, turns.requests.bodies.read_json_bytes(request))
        turns.models.resolve(asked.model)
        tokens = estimated_tokens(asked.conversation(), asked.client_tools())
        response = jsonify(input_tokens=tokens)
        response.headers["X-Estimated"] = "true"
        return response
