"""Errors of the chat APIs: what a request, a model or a job that gave no answer got wrong."""

from app.errors import GatewayError

#: A job that ran and gave no answer (RFC 4918): no client repeats it by itself.
FAILED_DEPENDENCY = 424


class BadParameter(GatewayError):
    """A parameter that cannot be what it is; `param` names it."""

    status = 400
    code = "invalid_value"

    def __init__(self, param: str, detail: str, code: str = "invalid_value") -> None:
        super().__init__(detail)
        self.param = param
        self.code = code


class ModelNotFound(GatewayError):
    """The CLI has no such model."""

    status = 404
    code = "model_not_found"
    param = "model"

    def __init__(self, model: str) -> None:
        super().__init__(
            f"The model {model[:100]!r} does not exist here; GET /v1/models names those there are"
        )


class ConversationNotFound(GatewayError):
    """There is no such conversation of this user's."""

    status = 404
    code = "conversation_not_found"
    param = "conversation_id"

    def __init__(self, conversation_id: str) -> None:
        super().__init__(f"Conversation not found: {conversation_id[:100]}")


class CompletionFailed(GatewayError):
    """The job gave no answer."""

    status = FAILED_DEPENDENCY

    def __init__(
        self,
        code: str,
        detail: str,
        status: int = FAILED_DEPENDENCY,
        param: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.param = param

    def headers(self) -> dict[str, str]:
        """Keep the SDKs from sending it again.

        A job that failed may have done half of its work; and where the model's API refused it,
        the CLI has tried for minutes already.
        """
        return {"X-Should-Retry": "false"}
