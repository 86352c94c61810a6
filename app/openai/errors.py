"""How the OpenAI face tells errors: the shape, types and codes that its clients know. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.errors import GatewayError
from app.web.told import Told

#: Our codes that OpenAI's clients know under another name.
CODES = {
    "not_authenticated": "invalid_api_key",
    "invalid_credentials": "invalid_api_key",
    "queue_full": "rate_limit_exceeded",
}
# What the SDKs would send again although it cannot go better then.
_FINAL = {
    "too_many_attempts",
    "insufficient_storage",
    "not_implemented",
    "internal_error",
    "idempotency_key_reused",
}
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


def tell(error: GatewayError) -> Told:
    """The error as an OpenAI client is told it."""
    # OpenAI's own API has no 422: a body that does not fit is a 400.
    status = 400 if error.status == 422 else error.status
    headers = error.headers()
    if error.code in _FINAL or status == FAILED_DEPENDENCY:
        headers["X-Should-Retry"] = "false"
    return Told(status, {"error": error_object(error)}, headers)


def error_object(error: GatewayError) -> dict[str, Any]:
    """What stands in `error`: `message`, `type`, `param` and `code`."""
    param: str | None = getattr(error, "param", None)
    if isinstance(error.detail, str):
        message = f"{error.detail}. {error.hint}" if error.hint else error.detail
    else:
        message = "; ".join(_sentence(complaint) for complaint in error.detail)
        param = parameter(error.detail[0]["loc"])
    return {
        "message": message,
        "type": _type(error.status),
        "param": param,
        "code": CODES.get(error.code, error.code),
    }


def parameter(location: Sequence[str | int]) -> str | None:
    """A place in a request as OpenAI writes it.

    >>> parameter(["body", "messages", 0, "content"])
    'messages[0].content'
    """
    name = ""
    for part in location[1:]:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else part
    return name or None


def _sentence(complaint: Mapping[str, Any]) -> str:
    name = parameter(complaint["loc"])
    return f"{name}: {complaint['msg']}" if name else str(complaint["msg"])


def _type(status: int) -> str:
    if status == 429:
        return "rate_limit_error"
    failed = status >= 500 or status == FAILED_DEPENDENCY
    return "server_error" if failed else "invalid_request_error"
