"""How many tokens a completion took, as OpenAI tells it. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

_BY_MODEL = {
    "inputTokens": "input_tokens",
    "outputTokens": "output_tokens",
    "cacheReadInputTokens": "cache_read_input_tokens",
    "cacheCreationInputTokens": "cache_creation_input_tokens",
}
_KINDS = tuple(_BY_MODEL.values())


def usage_of(result: Mapping[str, Any], seen: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What the CLI's last `result` tells; without one, what its messages told (`seen`).

    All kinds of input count as the prompt: new, read from the cache, written to it. The result
    of a turn that was interrupted has zeros in `usage`, and what was used in `modelUsage`.

    >>> result = {"usage": {"input_tokens": 5, "cache_read_input_tokens": 9, "output_tokens": 2}}
    >>> usage = usage_of(result, [])
    >>> usage["prompt_tokens"], usage["completion_tokens"], usage["prompt_tokens_details"]
    (14, 2, {'cached_tokens': 9})
    """
    by_model = result.get("modelUsage")
    models = by_model.values() if isinstance(by_model, dict) else ()
    renamed = [
        {_BY_MODEL.get(name, name): n for name, n in _object(model).items()} for model in models
    ]
    sums = [_sum([_object(result.get("usage"))]), _sum(renamed), _sum(seen)]
    known = next((counts for counts in sums if any(counts.values())), sums[0])
    prompt = known["input_tokens"] + known["cache_read_input_tokens"]
    prompt += known["cache_creation_input_tokens"]
    completion = known["output_tokens"]
    details = _object(_object(result.get("usage")).get("output_tokens_details"))
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": known["cache_read_input_tokens"]},
        "completion_tokens_details": {"reasoning_tokens": _count(details.get("thinking_tokens"))},
    }


def _sum(usages: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    counts = dict.fromkeys(_KINDS, 0)
    for usage in usages:
        for kind in _KINDS:
            counts[kind] += _count(usage.get(kind))
    return counts


def _object(value: object) -> dict[str, Any]:
    """The value, if it is an object; nobody promises what is in a line."""
    return value if isinstance(value, dict) else {}


def _count(number: object) -> int:
    return number if isinstance(number, int) and number > 0 else 0
