"""The object that is a response. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.conversation.usage import TokenUsage
from app.responses.request_body import ResponseRequest
from app.responses.tools import ResponseTool

# Parameters without an effect that the object repeats, and what it has without them.
_REPEATED: Mapping[str, Any] = {
    "temperature": 1.0,
    "top_p": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "top_logprobs": 0,
    "max_tool_calls": None,
    "service_tier": "default",
    "safety_identifier": None,
    "prompt_cache_key": None,
    "user": None,
}


def new_response(response_id: str, created_at: int, request: ResponseRequest) -> dict[str, Any]:
    """The response before it has begun: what it repeats of its request."""
    extra = request.model_extra or {}
    given = request.text.format if request.text else None
    text_format = given.model_dump(by_alias=True, exclude_unset=True) if given else {"type": "text"}
    choice = request.tool_choice
    return {
        "id": response_id,
        "object": "response",
        "created_at": created_at,
        "completed_at": None,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": request.instructions,
        "model": request.model or "claude-code",
        "output": [],
        "parallel_tool_calls": request.parallel_tool_calls is not False,
        "previous_response_id": request.previous_response_id,
        "conversation": request.conversation and {"id": request.conversation.id},
        "reasoning": {
            "effort": request.reasoning.effort if request.reasoning else None,
            "summary": None,
        },
        "background": request.background is True,
        "store": False,
        "text": {"format": text_format},
        "tools": [_tool(tool) for tool in request.tools or []],
        "tool_choice": "auto" if choice is None else _choice(choice.model_dump(exclude_unset=True)),
        "truncation": "disabled",
        "max_output_tokens": request.max_output_tokens,
        "metadata": request.metadata or {},
        "usage": None,
        **{name: _repeated(extra.get(name), default) for name, default in _REPEATED.items()},
    }


def usage_object(usage: TokenUsage) -> dict[str, Any]:
    """The usage in OpenAI's form, in which the input includes tokens of the cache.

    >>> usage = usage_object(TokenUsage(5, 2, 9, 0, 1))
    >>> usage["input_tokens"], usage["total_tokens"], usage["output_tokens_details"]
    (14, 16, {'reasoning_tokens': 1})
    """
    read, written = usage.cache_read_input_tokens, usage.cache_creation_input_tokens
    total = usage.input_tokens + read + written
    return {
        "input_tokens": total,
        "input_tokens_details": {"cached_tokens": read, "cache_write_tokens": written},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.thinking_tokens},
        "total_tokens": total + usage.output_tokens,
    }


def output_text(output: Sequence[Mapping[str, Any]]) -> str:
    """All text in the items of an output."""
    return "".join(
        part["text"] for item in output if item["type"] == "message" for part in item["content"]
    )


def _tool(tool: ResponseTool) -> dict[str, Any]:
    found = tool.model_dump(exclude_unset=True)
    if tool.type == "function":
        found = {"description": None, "parameters": None, **found, "strict": bool(tool.strict)}
    return found


def _choice(choice: dict[str, Any]) -> Any:
    is_word = choice["type"] in ("none", "auto", "required")
    return choice["type"] if is_word else choice


def _repeated(value: Any, default: Any) -> Any:
    return default if value is None else value
