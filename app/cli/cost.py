"""The cost of a job, in US dollars and in tokens, from the CLI's `result` line. Pure."""

from collections.abc import Mapping
from typing import Any

from app.cli.lines import as_object

#: The kinds of tokens, by the names of the metrics, and their names in a result line.
TOKEN_KINDS = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cache_read": "cache_read_input_tokens",
    "cache_creation": "cache_creation_input_tokens",
}
# No job costs or uses that much; larger values are not plausible.
_MOST = 1e12


def cost_in(result: Mapping[str, Any]) -> float:
    """The cost in a `result` line, in US dollars."""
    return _amount(result.get("total_cost_usd"))


def tokens_in(result: Mapping[str, Any]) -> dict[str, int]:
    """The tokens in a `result` line, by kind."""
    counts = as_object(result.get("usage"))
    return {kind: int(_amount(counts.get(name))) for kind, name in TOKEN_KINDS.items()}


def _amount(value: object) -> float:
    """The value if it is a plausible amount, else 0; the CLI may write anything.

    >>> [_amount(value) for value in (0.25, 7, -1, True, "7", None, float("nan"), 10**400)]
    [0.25, 7.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < _MOST:
        return float(value)
    return 0.0
