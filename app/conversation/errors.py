"""The errors of all chat APIs."""

from app.errors import FAILED_DEPENDENCY, GatewayError, NothingFound

# Errors that the SDKs would retry in vain.
_FINAL = {
    "too_many_attempts",
    "insufficient_storage",
    "not_implemented",
    "internal_error",
    "idempotency_key_reused",
}


class BadParameter(GatewayError):
    """A parameter has a value that it cannot have; `param` is its name."""

    status = 400
    code = "invalid_value"

    def __init__(self, param: str, detail: str, code: str = "invalid_value") -> None:
        super().__init__(detail)
        self.param = param
        self.code = code


class ModelNotFound(NothingFound):
    """There is no such model."""

    code = "model_not_found"
    message = "The model {!r} does not exist; GET /v1/models lists all"
    param = "model"


class ConversationNotFound(NothingFound):
    """There is no such conversation, or it is another user's."""

    code = "conversation_not_found"
    message = "Conversation not found: {}"
    param = "conversation_id"


class AnswerFailed(GatewayError):
    """A job gave no answer. Its `code` is one of `app.conversation.failure_kinds`.

    If `is_final`, no client should retry it: the job may have done half of its work, and the CLI
    has retried calls of the model's API for minutes already. `retry_after` is in seconds.
    """

    status = FAILED_DEPENDENCY
    is_final = True
    retry_after: int | None = None

    def __init__(self, code: str, detail: str, status: int = FAILED_DEPENDENCY) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code

    def headers(self) -> dict[str, str]:
        """When to retry, where the model's API says it."""
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}


def is_final(error: GatewayError) -> bool:
    """Whether a client shall not retry the request by itself, although its status says it may."""
    return error.code in _FINAL or (isinstance(error, AnswerFailed) and error.is_final)
