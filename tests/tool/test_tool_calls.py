"""The model's calls of tools, a line of text each."""

import json

import pytest

from app.tool.tool_calls import tool_calls


def line(*blocks: object, **fields: object) -> bytes:
    """A message of the model's."""
    return json.dumps({"type": "assistant", "message": {"content": blocks}, **fields}).encode()


def call(name: object, given: object) -> dict[str, object]:
    """A call of a tool."""
    return {"type": "tool_use", "name": name, "input": given}


@pytest.mark.parametrize(
    ("block", "shown"),
    [
        (call("Bash", {"command": "ls\n  -l", "description": "List"}), "Bash: ls -l"),
        (call("Read", {"file_path": "/a/b"}), "Read: /a/b"),
        (call("Grep", {"path": "/a", "pattern": "x"}), "Grep: x"),
        (call("Agent", {"prompt": "long", "description": "Look"}), "Agent: Look"),
        (
            call("TodoWrite", {"todos": [{"content": "ü"}]}),
            'TodoWrite: {"todos":[{"content":"ü"}]}',
        ),
        (call("mcp__x__y", {}), "mcp__x__y"),
        (call("Bash", {"command": "\x1b[2J\u202ex"}), "Bash: \ufffd[2J\ufffdx"),
        (call("a\nb", {"command": " "}), 'a b: {"command":" "}'),
        (call(7, "x"), "7"),
    ],
)
def test_the_name_and_what_says_most_of_the_input(block: object, shown: str) -> None:
    assert list(tool_calls(line(block))) == [shown]


def test_calls_of_subagents_are_indented() -> None:
    both = line(call("A", {}), {"type": "text"}, 7, call("B", {}), parent_tool_use_id="t")
    assert list(tool_calls(both)) == ["  A", "  B"]


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"user","message":{"content":[{"type":"tool_use"}]}}',
        b'{"type":"assistant","message":{"content":"tool_use"}, "x": "tool_use"}',
        b'{"type":"assistant","x":"tool_use","message":7}',
        b'"tool_use"',
        b'"tool_use" {',
    ],
)
def test_other_lines_have_none(line: bytes) -> None:
    assert list(tool_calls(line)) == []


def test_a_long_input_is_cut() -> None:
    (shown,) = tool_calls(line(call("Bash", {"command": "x" * 1_000_000})))
    assert len(shown) < 2000
