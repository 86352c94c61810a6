"""The tokens that an answer used. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from app.cli.lines import as_object

_BY_MODEL = {
    "inputTokens": "input_tokens",
    "outputTokens": "output_tokens",
    "cacheReadInputTokens": "cache_read_input_tokens",
    "cacheCreationInputTokens": "cache_creation_input_tokens",
}
_KINDS = tuple(_BY_MODEL.values())


class TokenUsage(NamedTuple):
    """Numbers of tokens, by the names of the model's API; thinking is part of the output."""

    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int
    cache_creation_input_tokens: int
    thinking_tokens: int


def usage_of(result: Mapping[str, Any], messages: Iterable[Mapping[str, Any]]) -> TokenUsage:
    """The usage in the CLI's last `result`; if it has none, the sum over the `messages`.

    The result of an interrupted turn has zeros in `usage`, and the numbers by models. Those in
    `modelUsage` count from the start of the process, which may have had other turns.

    >>> usage_of({"usage": {"input_tokens": 5, "output_tokens": 2}}, []).input_tokens
    5
    """
    by_model = result.get("model_usage_since_last_result") or result.get("modelUsage")
    models = by_model.values() if isinstance(by_model, dict) else ()
    renamed = [
        {_BY_MODEL.get(name, name): n for name, n in as_object(model).items()} for model in models
    ]
    sums = [_sum([as_object(result.get("usage"))]), _sum(renamed), _sum(messages)]
    known = next((counts for counts in sums if any(counts.values())), sums[0])
    details = as_object(as_object(result.get("usage")).get("output_tokens_details"))
    return TokenUsage(**known, thinking_tokens=_count(details.get("thinking_tokens")))


def _sum(usages: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    counts = dict.fromkeys(_KINDS, 0)
    for usage in usages:
        for kind in _KINDS:
            counts[kind] += _count(usage.get(kind))
    return counts


def _count(number: object) -> int:
    return number if isinstance(number, int) and number > 0 else 0
