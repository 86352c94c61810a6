"""The reported usage of a turn, and the errors that its failures become."""

import pytest

from app.conversation.answer import LONGEST_LINE, AnswerParser
from app.conversation.errors import AnswerFailed
from app.conversation.failure_kinds import failure_of, limit_ends_at
from app.conversation.usage import usage_of
from app.openai.completion import usage_object

# Usage and failures


def test_usage_of_an_interrupted_turn_is_that_of_its_models() -> None:
    models = {"m": {"inputTokens": 14, "outputTokens": 18, "cacheReadInputTokens": 2}}
    usage = usage_of({"usage": {"input_tokens": 0}, "modelUsage": models}, [])
    found = usage_object(usage)
    assert (found["prompt_tokens"], found["completion_tokens"]) == (16, 18)


def test_usage_without_a_result_is_what_was_seen() -> None:
    usage = usage_of({}, [{"input_tokens": 3, "output_tokens": 1}, {"input_tokens": 4}])
    assert usage_object(usage)["total_tokens"] == 8


END = {"status": "failed", "exit_code": 1, "signal": None, "reason": None, "error": "boom"}


def test_only_a_success_is_no_failure() -> None:
    assert failure_of({**END, "status": "succeeded"}, {}, used_tools=True) is None


@pytest.mark.parametrize(
    ("line", "active"),
    [
        (b'{"type":"assistant","message":{"content":[{"type":"text","text":"tool_use"}]}}', False),
        (b'{"type":"assistant","message":{"usage":{"server_tool_use":{"n":0}}}}', False),
        (b'{"type":"assistant","message":{"content":[{"type":"tool_use","name":"Bash"}]}}', True),
        (b'{"type":"user","message":{"content":[{"type": "tool_result"}]}}', True),
        (b'{"type":"stream_event","event":{"content_block":{"type":"server_tool_use"}}}', True),
        # What is too long to be looked at may have been a call.
        (b"x" * (LONGEST_LINE + 1), True),
    ],
)
def test_whether_a_tool_was_used_is_known(line: bytes, active: bool) -> None:
    answer = AnswerParser(structured=False, with_lines=False)
    list(answer.feed(line))
    list(answer.feed(b"\n"))
    assert answer.used_tools is active


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ('{"status":"rejected","resetsAt":1795700069}', 1795700069),
        ('{"status":"allowed_warning","resetsAt":1795700069}', None),
        ('{"status":"rejected","resetsAt":"soon"}', None),
        ('{"status":"rejected"}', None),
        ("[]", None),
    ],
)
def test_the_end_of_a_limit_is_known_if_the_limit_is_reached(
    limit: str, expected: float | None
) -> None:
    line = f'{{"type":"rate_limit_event","rate_limit_info":{limit}}}'
    assert limit_ends_at(line.encode()) == expected


@pytest.mark.parametrize(("used_tools", "expected"), [(False, {"Retry-After": "7"}), (True, {})])
def test_only_what_may_be_asked_again_says_when(used_tools: bool, expected: dict[str, str]) -> None:
    result = {"api_error_status": 429}
    failure = failure_of(END, result, used_tools, retry_after=7)
    assert failure is not None and failure.headers() == expected


RETRY = (
    b'{"type":"system","subtype":"api_retry","attempt":1,"error_status":529,"retry_delay_ms":7289}'
)
BEGIN = b'{"type":"stream_event","event":{"type":"message_start","message":{"id":"m"}}}'
CALL = b'{"type":"assistant","message":{"content":[{"type":"tool_use","name":"Bash"}]}}'


def test_a_refusal_before_the_answer_ends_it() -> None:
    answer = AnswerParser(structured=False, with_lines=False, most_retries=0)
    with pytest.raises(AnswerFailed) as refused:
        list(answer.feed(RETRY + b"\n"))
    assert (refused.value.status, refused.value.code) == (529, "overloaded")
    assert refused.value.headers() == {"Retry-After": "8"} and not refused.value.is_final


@pytest.mark.parametrize(
    ("most", "lines"),
    [
        (None, [RETRY]),
        (1, [RETRY]),
        (0, [RETRY.replace(b"529", b"500")]),
        (0, [RETRY.replace(b"529", b"null")]),
        # The agent has begun to work.
        (0, [BEGIN, RETRY]),
        (0, [CALL, RETRY]),
    ],
)
def test_the_cli_may_ask_again(most: int | None, lines: list[bytes]) -> None:
    answer = AnswerParser(structured=False, with_lines=False, most_retries=most)
    list(answer.feed(b"".join(line + b"\n" for line in lines)))
