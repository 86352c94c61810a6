"""The cost of an answer of the model's API, by its tokens. Pure.

The prices are those that version 2.1.330 of the CLI has: of Anthropic's own API, without discounts.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from app.cli.cost import tokens_in
from app.cli.lines import as_object

_WEB_SEARCH = 0.01
# No answer has as many tokens or searches.
_MOST = 1e12


class _Price(NamedTuple):
    """US dollars for a million tokens. What is written to the cache stays for 5 minutes, or 1 h."""

    input: float
    output: float
    cache_read: float

    @property
    def cache_write(self) -> float:
        return self.input * 1.25

    @property
    def cache_write_1h(self) -> float:
        return self.input * 2


_PRICES = {
    "claude-3-5-haiku": _Price(0.8, 4, 0.08),
    "claude-haiku-4-5": _Price(1, 5, 0.1),
    "claude-haiku-5-5": _Price(0.1, 0.5, 0.01),
    "claude-3-5-sonnet": _Price(3, 15, 0.3),
    "claude-3-7-sonnet": _Price(3, 15, 0.3),
    "claude-sonnet-4": _Price(3, 15, 0.3),
    "claude-sonnet-4-0": _Price(3, 15, 0.3),
    "claude-sonnet-4-5": _Price(3, 15, 0.3),
    "claude-sonnet-4-6": _Price(3, 15, 0.3),
    "claude-sonnet-5": _Price(2, 10, 0.2),
    "claude-sonnet-5-5": _Price(2, 10, 0.1),
    "claude-opus-4": _Price(15, 75, 1.5),
    "claude-opus-4-0": _Price(15, 75, 1.5),
    "claude-opus-4-1": _Price(15, 75, 1.5),
    "claude-opus-4-5": _Price(5, 25, 0.5),
    "claude-opus-4-6": _Price(5, 25, 0.5),
    "claude-opus-4-7": _Price(5, 25, 0.5),
    "claude-opus-4-8": _Price(5, 25, 0.5),
    "claude-opus-5": _Price(5, 25, 0.5),
    "claude-opus-5-5": _Price(4, 20, 0.2),
    "claude-fable-5": _Price(10, 50, 1),
    "claude-fable-5-1": _Price(10, 50, 0.25),
    "claude-fable-5-2": _Price(8, 40, 0.2),
}
# Where a prompt with more tokens has another price.
_LONG_PROMPTS = {"claude-haiku-5-5": (100_000, _Price(0.5, 2.5, 0.05))}
_DATE = re.compile(r"-(20\d{6}|latest)$")


def cost_of(model: str, usage: Mapping[str, Any]) -> float | None:
    """The cost in US dollars; None if the price of the model is not known.

    >>> cost_of("claude-haiku-4-5-20251001", {"input_tokens": 1000, "output_tokens": 100})
    0.0015
    >>> cost_of("another", {"input_tokens": 1000}) is None
    True
    """
    name = _DATE.sub("", model)
    price = _PRICES.get(name)
    if price is None:
        return None
    tokens = tokens_in({"usage": usage})
    prompt = tokens["input"] + tokens["cache_read"] + tokens["cache_creation"]
    most, for_long = _LONG_PROMPTS.get(name, (prompt, price))
    if prompt > most:
        price = for_long
    written = as_object(usage.get("cache_creation"))
    for_an_hour = min(_count(written.get("ephemeral_1h_input_tokens")), tokens["cache_creation"])
    searches = _count(as_object(usage.get("server_tool_use")).get("web_search_requests"))
    dollars = (
        tokens["input"] * price.input
        + tokens["output"] * price.output
        + tokens["cache_read"] * price.cache_read
        + (tokens["cache_creation"] - for_an_hour) * price.cache_write
        + for_an_hour * price.cache_write_1h
    )
    return round(dollars / 1e6 + searches * _WEB_SEARCH, 10)


def _count(number: object) -> int:
    if isinstance(number, int) and not isinstance(number, bool) and 0 < number < _MOST:
        return number
    return 0
