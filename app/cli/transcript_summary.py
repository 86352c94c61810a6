"""The summary of a transcript for a list of sessions: title, folder, turns, cost. Pure.

As in the versions 2.1.197 to 2.1.330. A transcript can be larger than the memory, so only its
beginning and its end are given.
"""

import re
from typing import Any, NamedTuple

from app.cli.lines import as_object, parse

#: Characters of a title, at most.
LONGEST_TITLE = 200
_LONGEST_PATH = 4096
_MOST_TURNS = 1_000_000

# What lines of interest contain, at the beginning and at the end; others are not parsed.
_NOTES = rb'"(?:custom-title|ai-title|summary|last-prompt|cost-state|turnPosition)"'
_AT_THE_END = re.compile(_NOTES)
_AT_THE_BEGINNING = re.compile(_NOTES + rb'|"type":\s?"user"|"isSidechain"')
# The kinds of title, the best first, with the key of each.
_TITLES = {
    "custom-title": "customTitle",
    "ai-title": "aiTitle",
    "summary": "summary",
    "last-prompt": "lastPrompt",
}
# Messages that the CLI writes in the user's name.
_NO_PROMPT = re.compile(
    r"<(?:local-command-|session-start-hook|tick|goal|ide_opened_file|ide_selection"
    r"|command-message|task-notification)|\[Request interrupted by user|Caveat: "
)
_COMMAND = re.compile(r"<command-name>(.{1,200}?)</command-name>")


class Summary(NamedTuple):
    """What a list of sessions shows of a transcript; None is unknown.

    `is_session` is False for a transcript of a subagent, and for one without a prompt. `cost` is in
    US dollars.
    """

    title: str | None = None
    cwd: str | None = None
    turns: int | None = None
    cost: float | None = None
    is_session: bool = True


def summary_of(head: bytes, tail: bytes | None) -> Summary:
    r"""The summary of a transcript with this beginning and end; without an end, `head` is all.

    >>> summary_of(b'{"type":"user","message":{"content":"Hi"},"cwd":"/srv"}\n', None)
    Summary(title='Hi', cwd='/srv', turns=1, cost=None, is_session=True)
    """
    first = _lines(head, _AT_THE_BEGINNING)
    # The first line of the end is cut off, as a rule.
    last = first if tail is None else _lines(tail, _AT_THE_END)
    side = next((line["isSidechain"] for line in first if "isSidechain" in line), False)
    prompts = [line for line in first if _is_prompt(line)]
    titles = {str(line.get("type")): line for line in [*first, *last]}
    given = {
        kind: text
        for kind, key in _TITLES.items()
        if (text := short_text(titles.get(kind, {}).get(key)))
    }
    begun = next(filter(None, map(_prompt_text, prompts)), None)
    latest = given.pop("last-prompt", None)
    title = next(iter(given.values()), begun or latest)
    turns = _turns(last)
    if turns is None and tail is None:
        turns = len(prompts)
    return Summary(
        title,
        next(filter(None, map(_cwd, first)), None),
        turns,
        _cost(last),
        is_session=side is not True and (title is not None or tail is not None),
    )


def short_text(value: object) -> str | None:
    r"""A text as a title: one line of at most 200 characters; None for anything else.

    >>> short_text(" a\nb "), short_text(""), short_text(1)
    ('a b', None, None)
    """
    if not isinstance(value, str):
        return None
    # A line of the CLI may end in the middle of a surrogate pair.
    plain = " ".join(value[: LONGEST_TITLE * 20].split()).encode(errors="replace").decode()
    return (plain if len(plain) <= LONGEST_TITLE else f"{plain[:LONGEST_TITLE]}…") or None


def _lines(text: bytes, marks: re.Pattern[bytes]) -> list[dict[str, Any]]:
    return [parse(line) for line in text.split(b"\n") if marks.search(line)]


def _is_prompt(line: dict[str, Any]) -> bool:
    flags = ("isMeta", "isCompactSummary", "isSidechain")
    return (
        line.get("type") == "user"
        and not any(line.get(name) is True for name in flags)
        and "toolUseResult" not in line
        and any(_texts(line))
    )


def _texts(line: dict[str, Any]) -> list[str]:
    content = as_object(line.get("message")).get("content")
    blocks = content if isinstance(content, list) else [{"type": "text", "text": content}]
    texts = [as_object(block) for block in blocks[:100]]
    return [
        each["text"]
        for each in texts
        if each.get("type") == "text" and isinstance(each.get("text"), str)
    ]


def _prompt_text(line: dict[str, Any]) -> str | None:
    for text in _texts(line):
        command = _COMMAND.search(text[:4096])
        if command:
            return short_text(command[1])
        if not _NO_PROMPT.match(text.lstrip()[:100]):
            return short_text(text)
    return None


def _turns(lines: list[dict[str, Any]]) -> int | None:
    """The number of the last turn, which new versions write into its prompt."""
    for line in reversed(lines):
        turn = as_object(line.get("turnPosition")).get("turnIndex")
        if type(turn) is int and 0 < turn <= _MOST_TURNS:
            return turn
    return None


def _cost(lines: list[dict[str, Any]]) -> float | None:
    for line in reversed(lines):
        cost = line.get("totalCostUSD")
        if line.get("type") == "cost-state" and type(cost) in (int, float) and 0 <= cost < 1e9:
            return round(float(cost), 6)
    return None


def _cwd(line: dict[str, Any]) -> str | None:
    cwd = line.get("cwd")
    if isinstance(cwd, str) and cwd.startswith("/") and len(cwd) <= _LONGEST_PATH:
        return cwd.encode(errors="replace").decode()
    return None
