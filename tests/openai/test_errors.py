"""Errors in the format of OpenAI's API."""

from typing import Any

import pytest

from app.conversation.failure_kinds import failure_of
from app.errors import InvalidRequest, QueueFull, TooManyAttempts
from app.openai.errors import error_object, render_error

END = {"status": "failed", "exit_code": 1, "signal": None, "reason": None, "error": "boom"}


@pytest.mark.parametrize(
    ("end", "result", "status", "code"),
    [
        ({"reason": "not_logged_in"}, {}, 424, "cli_not_logged_in"),
        ({"reason": "api_error"}, {"api_error_status": 400}, 400, "invalid_request"),
        ({"reason": "api_error"}, {"api_error_status": 404}, 404, "model_not_found"),
        ({"reason": "api_error"}, {"api_error_status": 413}, 413, "request_too_large"),
        ({"reason": "api_error"}, {"api_error_status": 429}, 429, "rate_limit_exceeded"),
        ({"reason": "api_error"}, {"api_error_status": 503}, 503, "overloaded"),
        ({"reason": "api_error"}, {"api_error_status": 529}, 529, "overloaded"),
        ({"reason": "api_error"}, {"api_error_status": 401}, 424, "upstream_unauthorized"),
        ({"reason": "api_error"}, {"api_error_status": 403}, 424, "upstream_unauthorized"),
        ({"reason": "api_error"}, {"api_error_status": 500}, 424, "cli_failed"),
        ({"reason": "prompt_too_long"}, {}, 400, "context_length_exceeded"),
        ({"reason": "max_turns"}, {}, 424, "error_max_turns"),
        ({"error": "--json-schema is not a valid JSON Schema"}, {}, 400, "invalid_json_schema"),
        ({"error": "No conversation found with session ID"}, {}, 404, "session_not_found"),
        ({}, {}, 424, "cli_failed"),
        ({"status": "timed_out", "reason": "timeout"}, {}, 424, "timeout"),
        ({"status": "cancelled"}, {}, 424, "cancelled"),
        ({"status": "lost"}, {}, 424, "job_lost"),
    ],
)
def test_a_failure_has_a_status_and_a_code(
    end: dict[str, Any], result: dict[str, Any], status: int, code: str
) -> None:
    failure = failure_of({**END, **end}, result, used_tools=False)
    assert failure is not None
    assert (failure.status, error_object(failure)["code"]) == (status, code)
    # The CLI has tried for minutes already, and a job may have done half of its work.
    assert render_error(failure).headers["X-Should-Retry"] == "false"
    # Nor by clients that know the status alone, once something was done.
    failure = failure_of({**END, **end}, result, used_tools=True)
    assert failure is not None
    assert (failure.status, error_object(failure)["code"]) == (424, code)


def test_errors_of_the_gateway_have_the_shape_too() -> None:
    assert render_error(QueueFull(1)).headers == {"Retry-After": "10"}
    assert render_error(TooManyAttempts(5)).headers["X-Should-Retry"] == "false"
    wrong = InvalidRequest.of("t", ("body", "messages", 0, "content"), "is wrong")
    assert render_error(wrong).status == 400
    assert error_object(wrong) == {
        "message": "messages[0].content: is wrong",
        "type": "invalid_request_error",
        "param": "messages[0].content",
        "code": "invalid_request",
    }
