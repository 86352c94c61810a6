"""How a job ended, and why: a client gets the CLI's own words."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.cli.result_line import LONGEST_MESSAGE, outcome_of, sentence
from app.jobs.store import Spool
from app.records.run import RunExit
from app.runs.verdict import as_complete, judge
from tests.support.gateway import Gateway, eventually
from tests.support.hostile import create_job

NOT_LOGGED_IN = "Not logged in · Please run /login"


def result(**fields: Any) -> str:
    """The verb that prints this result line."""
    fields = {"type": "result", "subtype": "success", "is_error": True, "num_turns": 1, **fields}
    return f"line {json.dumps(fields)}"


# As seen in the CLI's versions 2.1.197 and 2.1.330.
FAILURES = [
    (
        [result(terminal_reason="api_error", result=NOT_LOGGED_IN)],
        ("not_logged_in", NOT_LOGGED_IN),
    ),
    (
        [result(terminal_reason="completed", result=NOT_LOGGED_IN)],
        ("not_logged_in", NOT_LOGGED_IN),
    ),
    (
        [result(terminal_reason="api_error", api_error_status=529, result="API Error: 529")],
        ("api_error", "API Error: 529"),
    ),
    (
        [result(terminal_reason="completed", api_error_status=429, result="Rejected (429)")],
        ("api_error", "Rejected (429)"),
    ),
    (
        [
            result(
                terminal_reason="prompt_too_long",
                api_error_status=400,
                result="Prompt is too long · the request is ~300000 tokens",
            )
        ],
        ("prompt_too_long", "Prompt is too long · the request is ~300000 tokens"),
    ),
    (
        [
            result(
                subtype="error_max_turns",
                terminal_reason="max_turns",
                errors=["Reached maximum number of turns (1)"],
            )
        ],
        ("max_turns", "Reached maximum number of turns (1)"),
    ),
    (
        [result(subtype="error_max_budget_usd", errors=["Reached maximum budget ($1)"])],
        ("max_budget", "Reached maximum budget ($1)"),
    ),
    (
        [result(subtype="error_during_execution", terminal_reason="aborted_tools")],
        ("aborted", "The CLI ended with exit code 1"),
    ),
    (
        [result(subtype="error_during_execution", errors=["No conversation found"])],
        (None, "No conversation found"),
    ),
    # A result may follow a warning on the same line.
    (
        [f"line Warning: {{x}} {result(result=NOT_LOGGED_IN).removeprefix('line ')}"],
        ("not_logged_in", NOT_LOGGED_IN),
    ),
    (
        ["complain error: option '--permission-mode' is invalid.", "complain (see --help)"],
        (None, "error: option '--permission-mode' is invalid."),
    ),
    (["complain boom"], (None, "boom")),
    ([], (None, "The CLI ended with exit code 1 and without a result")),
]


@pytest.mark.parametrize(("verbs", "expected"), FAILURES)
def test_a_failure_has_a_reason_and_the_clis_own_words(
    gateway: Gateway, verbs: list[str], expected: tuple[str | None, str]
) -> None:
    stream = gateway.chat(*verbs, "exit 1")
    done = stream.done()
    assert (done["status"], done["reason"], done["error"]) == ("failed", *expected)
    assert next(iter(done)) == "process_id"
    record = gateway.ask("GET", f"/jobs/{stream.job_id}").json()
    assert (record["status"], record["reason"], record["error"]) == ("failed", *expected)
    line = f"job {stream.job_id} failed after "
    eventually(lambda: line in gateway.log())
    (logged,) = [each for each in gateway.log().split("\n") if line in each]
    assert expected[1] in logged


# With exit code 0 and a result without is_error.
NO_SUCCESSES = [
    (
        [
            'line {"type":"system","subtype":"informational","prevent_continuation":true,'
            '"content":"blocked by hook: no\\n\\nOriginal prompt: secret",'
            '"prompt_submit_outcome":{"kind":"blocked_by_hook","reason":"not\\nallowed"}}',
            result(is_error=False, num_turns=0, result="blocked\n\nOriginal prompt: secret"),
        ],
        ("blocked_by_hook", "not allowed"),
    ),
    (
        [
            'line {"type":"system","subtype":"informational","prevent_continuation":true,'
            '"content":"UserPromptSubmit operation blocked by hook:\\n[x]: no\\n\\n\\n'
            'Original prompt: secret"}',
            result(is_error=False, num_turns=0, result="blocked\n\nOriginal prompt: secret"),
        ],
        ("blocked_by_hook", "[x]: no"),
    ),
    (
        [result(is_error=False, terminal_reason="hook_stopped", result="")],
        ("blocked_by_hook", "A hook stopped the CLI's turn"),
    ),
    (
        [result(is_error=False, terminal_reason="aborted_tools")],
        ("aborted", "The CLI's turn was aborted"),
    ),
]


@pytest.mark.parametrize(("verbs", "expected"), NO_SUCCESSES)
def test_a_job_whose_turn_was_stopped_has_failed(
    gateway: Gateway, verbs: list[str], expected: tuple[str, str]
) -> None:
    done = gateway.chat(*verbs).done()
    assert (done["status"], done["reason"], done["error"]) == ("failed", *expected)
    assert done["exit_code"] == 0


def test_a_job_with_a_slash_command_succeeds(gateway: Gateway) -> None:
    done = gateway.chat(result(is_error=False, num_turns=0, result="Cost: $0")).done()
    assert (done["status"], done["reason"]) == ("succeeded", None)
    assert "error" not in done


def test_a_result_after_a_warning_on_its_line_is_a_success_and_the_line_unchanged(
    gateway: Gateway,
) -> None:
    line = 'Warning: no {"type":"result","is_error":false,"result":"done","total_cost_usd":0.5}'
    stream = gateway.chat(f"line {line}")
    *messages, done = [event for event in stream if event.name != ":"]
    assert [event.data for event in messages] == [line.encode()]
    end = json.loads(done.data)
    assert (end["status"], end["total_cost_usd"]) == ("succeeded", 0.5)
    assert gateway.ask("GET", f"/jobs/{stream.job_id}").json()["result"] == "done"


def test_a_cancelled_job_has_an_error_without_reason(gateway: Gateway) -> None:
    stream = gateway.chat("line a", "silent")
    stream.next()
    gateway.ask("DELETE", f"/chat/{stream.job_id}")
    done = stream.done()
    assert (done["status"], done["reason"]) == ("cancelled", None)
    assert done["error"] == "The job was cancelled"


def test_an_error_is_one_line_of_limited_length() -> None:
    assert sentence("x" * 10_000) == "x" * LONGEST_MESSAGE + "…"
    assert sentence(" a\n\n b\x1b[2J\ud83d ") == "a b\ufffd[2J\ufffd"


@pytest.mark.parametrize("value", [None, 1, [], {}, "x", True])
@pytest.mark.parametrize("name", ["result", "errors", "terminal_reason", "subtype", "is_error"])
def test_a_malformed_result_is_no_success(name: str, value: object) -> None:
    assert outcome_of({name: value}, None).succeeded is False


@pytest.mark.parametrize(
    ("stop_reason", "reason"),
    [("max_tokens", "max_tokens"), ("refusal", "refusal"), ("end_turn", None), ("odd", None)],
)
def test_the_end_of_an_answer_is_a_reason_only_where_the_model_was_not_done(
    tmp_path: Path, stop_reason: str, reason: str | None
) -> None:
    spool = Spool(tmp_path)
    spool.prepare()
    job = create_job(spool)
    job.ask("complete", stop_reason)
    end = as_complete(job, judge(job, RunExit(), "cancelled"))
    assert (end.status, end.reason, end.error) == ("succeeded", reason, None)
    assert (end.result or {})["stop_reason"] == stop_reason
