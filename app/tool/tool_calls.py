"""The model's calls of tools, taken from the CLI's lines, as one line of text each. Pure."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from app.cli.lines import as_object, parse
from app.text import shortened
from app.tool.printable import one_line

# What says most of a tool's input, first. The CLI's own tools, and many of MCP servers.
_MOST_TELLING = (
    *("command", "file_path", "notebook_path", "pattern", "url", "query", "description"),
    *("path", "skill", "subject", "task_id", "prompt"),
)
# Characters of an input that are looked at; no more fit into a line.
_LONGEST = 1000


def tool_calls(line: bytes) -> Iterator[str]:
    """The calls in one of the CLI's lines; those of subagents are indented.

    >>> block = '{"type":"tool_use","name":"Bash","input":{"command":"ls"}}'
    >>> list(tool_calls(b'{"type":"assistant","message":{"content":[%b]}}' % block.encode()))
    ['Bash: ls']
    """
    if b'"tool_use"' not in line:
        return
    fields = parse(line)
    content = as_object(fields.get("message")).get("content")
    if fields.get("type") != "assistant" or not isinstance(content, list):
        return
    indent = "  " if fields.get("parent_tool_use_id") else ""
    for block in map(as_object, content):
        if block.get("type") == "tool_use":
            yield f"{indent}{summary(block.get('name'), as_object(block.get('input')))}"


def summary(tool: object, given: Mapping[str, Any]) -> str:
    r"""A tool's name with the gist of its input, in one line.

    >>> summary("Grep", {"pattern": "def \n main", "path": "."}), summary("X", {"n": 1})
    ('Grep: def main', 'X: {"n":1}')
    """
    texts = (given.get(name) for name in _MOST_TELLING)
    gist = next((text for text in texts if isinstance(text, str) and text.strip()), None)
    if gist is None and given:
        gist = json.dumps(given, ensure_ascii=False, separators=(",", ":"))
    name = one_line(shortened(str(tool)))
    return f"{name}: {one_line(shortened(gist, _LONGEST))}" if gist else name
