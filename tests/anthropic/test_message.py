"""What the events of the model's API add up to, and how a message ends that was cut."""

import json
from typing import Any

import pytest

from app.anthropic.message import MessageBuilder
from app.conversation.client_tools import ClientTool, ClientTools, ToolChoice
from app.conversation.cut import Cut
from app.conversation.errors import AnswerFailed
from app.conversation.events import ModelEvent
from app.conversation.model_answer import ModelAnswerParser

TOOLS = [ClientTool(name, None, None) for name in ("a", "b")]
START = {"type": "message_start", "message": {"id": "msg_1", "usage": {"input_tokens": 3}}}
STOP = {"type": "message_stop"}


def block(index: int, kind: str, *deltas: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
    """The events of a block."""
    return [
        {"type": "content_block_start", "index": index, "content_block": {"type": kind, **fields}},
        *[{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas],
        {"type": "content_block_stop", "index": index},
    ]


def text(index: int, *pieces: str) -> list[dict[str, Any]]:
    """The events of a text."""
    return block(index, "text", *[{"type": "text_delta", "text": p} for p in pieces], text="")


def call(index: int, name: str, arguments: str = "{}") -> list[dict[str, Any]]:
    """The events of a call."""
    delta = {"type": "input_json_delta", "partial_json": arguments}
    return block(index, "tool_use", delta, id=f"toolu_{index}", name=name, input={})


def end(reason: str) -> list[dict[str, Any]]:
    """The last events of a message."""
    delta = {"stop_reason": reason, "stop_sequence": None}
    return [{"type": "message_delta", "delta": delta, "usage": {"output_tokens": 9}}, STOP]


def passed(
    parser: ModelAnswerParser, *events: dict[str, Any], size: int = 1000
) -> list[dict[str, Any]]:
    """The events that the parser passes on of these."""
    lines = [{"type": "stream_event", "parent_tool_use_id": None, "event": e} for e in events]
    output = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    found = []
    for start in range(0, len(output), size):
        for event in parser.feed(output[start : start + size]):
            assert isinstance(event, ModelEvent)
            found.append(event.fields)
    return found


def parser_with(
    *stops: str, choice: ToolChoice | None = None, parallel: bool = True, structured: bool = False
) -> tuple[ModelAnswerParser, Cut]:
    """A parser, and what cuts its text."""
    cut = Cut(stops, None)
    tools = ClientTools(TOOLS, choice or ToolChoice(), parallel)
    return ModelAnswerParser(structured, tools, cut), cut


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_events_pass_on_as_they_are(size: int) -> None:
    parser, cut = parser_with()
    events = [START, *text(0, "I ", "call."), *call(1, "a"), *end("tool_use")]
    assert passed(parser, *events, size=size) == events[:-1]
    assert parser.has_calls and cut.reason is None


def test_what_follows_the_message_is_no_part_of_it() -> None:
    parser, cut = parser_with()
    events = [START, *text(0, "x"), *end("end_turn")]
    assert passed(parser, *events, START, *text(0, "more")) == events[:-1]
    assert (parser.ended, cut.reason) == ("end_turn", None)


@pytest.mark.parametrize("reason", ["max_tokens", "refusal", "model_context_window_exceeded"])
def test_a_message_after_which_the_cli_goes_on_is_complete(reason: str) -> None:
    parser, cut = parser_with()
    passed(parser, START, *text(0, "x"), *end(reason))
    assert (parser.ended, cut.reason) == (reason, None)


def test_a_broken_message_is_not_replaced() -> None:
    parser, _ = parser_with()
    passed(parser, START, *text(0, "x"))
    with pytest.raises(AnswerFailed):
        passed(parser, START)


@pytest.mark.parametrize("pieces", [["one END two"], ["one E", "ND two"], [*"one END two"]])
def test_a_text_is_cut_at_a_stop(pieces: list[str]) -> None:
    parser, cut = parser_with("END", "two")
    builder = MessageBuilder("msg_x", "m")
    for event in passed(parser, START, *text(0, *pieces), *call(1, "a"), *end("tool_use")):
        builder.add(event)
    assert (cut.reason, cut.stop) == ("stop_sequence", "END")
    missing = builder.end(cut.reason, cut.stop)
    assert [event["type"] for event in missing] == [
        *("content_block_stop", "message_delta", "message_stop"),
    ]
    assert builder.message["content"] == [{"type": "text", "text": "one "}]
    assert builder.message["stop_sequence"] == "END"
    assert builder.message["usage"]["input_tokens"] == 3


def test_the_beginning_of_a_stop_that_is_none_is_sent() -> None:
    parser, _ = parser_with("END")
    found = passed(parser, START, *text(0, "one EN"), *text(1, "D"), *end("end_turn"))
    builder = MessageBuilder("msg_x", "m")
    for event in found:
        builder.add(event)
    assert [each["text"] for each in builder.message["content"]] == ["one EN", "D"]


def test_text_without_the_call_that_must_come_is_held_back() -> None:
    parser, cut = parser_with(choice=ToolChoice("required"))
    assert passed(parser, START, *text(0, "No."), *end("end_turn")) == []
    second = [START, *text(0, "Well."), *call(1, "a"), *end("tool_use")]
    assert passed(parser, *second) == second[:-1]
    assert cut.reason is None


def test_calls_are_handed_out_one_at_a_time_if_the_client_wants_it() -> None:
    parser, _ = parser_with(parallel=False)
    events = [START, *call(0, "a"), *call(1, "b"), *end("tool_use")]
    found = passed(parser, *events)
    assert found == [START, *call(0, "a"), *end("tool_use")[:-1]]


def test_a_structured_answer_is_one_text() -> None:
    parser, _ = parser_with(structured=True)
    tool = block(0, "tool_use", id="toolu_9", name="StructuredOutput", input={})
    assert passed(parser, START, *tool, *end("tool_use"), START, *text(0, "Done."), *end("x")) == []
    builder = MessageBuilder("msg_x", "m")
    usage = {"input_tokens": 3, "output_tokens": 5}
    for event in parser.finish({"structured_output": {"n": 7}, "usage": usage}):
        assert isinstance(event, ModelEvent)
        builder.add(event.fields)
    assert builder.end("end_turn", None) == [STOP]
    assert builder.message["content"] == [{"type": "text", "text": '{"n": 7}'}]
    assert builder.message["id"] == "msg_1"


def test_a_message_without_any_event_has_a_beginning_and_an_end() -> None:
    builder = MessageBuilder("msg_x", "m")
    kinds = [event["type"] for event in builder.end("stop_sequence", "x")]
    assert kinds == ["message_start", "message_delta", "message_stop"]
    assert builder.message["id"] == "msg_x"


def test_arguments_that_end_in_the_middle_are_none() -> None:
    builder = MessageBuilder("msg_x", "m")
    for event in (START, *call(0, "a", '{"city": "Os'), *end("max_tokens")[:-1]):
        builder.add(event)
    assert [each.arguments for each in builder.calls()] == ["{}"]
    assert builder.message["stop_reason"] == "max_tokens"
