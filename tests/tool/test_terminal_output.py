"""What a terminal is shown while a job runs."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.terminal import Terminal
from tests.support.tool import Tool

PIECES = (
    'line {"type":"stream_event","event":{"type":"message_start","message":{"id":"m"}}}',
    'line {"type":"stream_event","event":{"type":"content_block_delta","delta":'
    '{"type":"text_delta","text":"Hel"}}}',
)
WHOLE = (
    'line {"type":"assistant","message":{"id":"m","content":[{"type":"text","text":"Hello"},'
    '{"type":"tool_use","name":"Bash","input":{"command":"ls \\u001b[2J\\u202e"}}]}}'
)


@contextmanager
def shown(tool: Tool, terminal: Terminal, *arguments: str, **environment: str) -> Iterator[None]:
    """The command, whose output goes to a terminal."""
    with tool.start(
        *arguments,
        stdout=terminal.slave,
        stderr=terminal.slave,
        env=tool.environment(**environment),
    ) as process:
        try:
            yield
        finally:
            process.kill()


def test_the_pieces_of_an_answer_are_shown_as_they_come(tool: Tool, terminal: Terminal) -> None:
    flag = tool.folder / "flag"
    verbs = "\n".join((*PIECES, f"await {flag}", WHOLE, "result ok"))
    with shown(tool, terminal, "run", verbs):
        assert terminal.read_until("Hel") == "Hel"
        flag.touch()
        lines = terminal.read_until(" job ").split("\n")
    assert lines[0] == "lo"
    assert lines[1] == "\x1b[2mBash: ls \ufffd[2J\ufffd\x1b[22m"
    assert lines[2].startswith("succeeded")


@pytest.mark.parametrize("names", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_without_colours_nothing_is_dimmed(
    tool: Tool, terminal: Terminal, names: dict[str, str]
) -> None:
    with shown(tool, terminal, "run", f"{WHOLE}\nresult ok", **names):
        assert "\x1b" not in terminal.read_until(" job ")


def test_a_note_does_not_begin_in_a_line_of_the_answer(tool: Tool, terminal: Terminal) -> None:
    call = WHOLE.replace('"message"', '"parent_tool_use_id":"t","message"')
    with shown(tool, terminal, "run", "\n".join((*PIECES, call, "exit 3"))):
        text = terminal.read_until(" job ")
    assert text.startswith("Hel\n\x1b[2m  Bash: ls \ufffd[2J\ufffd\x1b[22m\n")
    assert "\x1b[22m\nThe CLI ended with exit code 3" in text


def test_where_only_the_answer_is_a_terminals_it_has_no_notes(
    tool: Tool, terminal: Terminal
) -> None:
    verbs = "\n".join((*PIECES, WHOLE, "result ok"))
    with tool.start("run", verbs, stdout=terminal.slave) as run:
        assert terminal.read_until("\n") == "Hello\n"
        assert re.match(rb"Bash: ls \xef\xbf\xbd\[2J\xef\xbf\xbd\nsucceeded", run.communicate()[1])


@pytest.mark.parametrize("options", [[], ["--raw"]])
def test_a_terminal_is_shown_nothing_that_moves_it(
    tool: Tool, terminal: Terminal, options: list[str]
) -> None:
    hostile = "\x1b]0;title\x07\x9b31mred\u202etxt\x85\u2028"
    verbs = [f"raw {hostile.encode().hex()}0a", "say \\u001b]0;\\u009b1m\\u202e\\r\\u2066", WHOLE]
    with shown(tool, terminal, "run", *options, "\n".join([*verbs, "result ok"]), NO_COLOR="1"):
        text = terminal.read_until(" job ")
    assert not set(text) & set("\x1b\x07\x9b\x85\u2028\u202e\u2066")
    assert "\r" not in text
