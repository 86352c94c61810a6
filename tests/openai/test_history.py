"""The history of a conversation that no session has, with the fake CLI."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.completions import ANSWER, ask, refused
from tests.support.gateway import Gateway, eventually, marked_in

HISTORY = [
    {"role": "user", "content": "a question"},
    {
        "role": "assistant",
        "content": "a call",
        "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "42"},
    {"role": "assistant", "content": "an answer"},
]


def known(gateway: Gateway, job_id: str) -> list[tuple[str, list[dict[str, Any]]]]:
    """The messages that the CLI of a job was given before the last one."""
    lines = [json.loads(data) for data in gateway.resume(job_id).messages() if b'"known"' in data]
    return [(line["message"]["role"], line["message"]["content"]) for line in lines]


@pytest.mark.parametrize("stream", [False, True])
def test_the_model_gets_each_message_of_a_history(gateway: Gateway, stream: bool) -> None:
    messages = [*HISTORY, {"role": "user", "content": f"say hello\n{ANSWER}"}]
    answer = ask(gateway, messages=messages, stream=stream)
    assert answer.status_code == 200, answer.text
    found = known(gateway, answer.headers["X-Process-ID"])
    assert [role for role, _ in found] == ["user", "assistant", "user", "assistant"]
    assert found[1][1][1]["id"] == found[2][1][0]["tool_use_id"] == "c1"


def test_a_long_history_is_not_cut(gateway: Gateway) -> None:
    pair = [{"role": "user", "content": "é" * 50_000}, {"role": "assistant", "content": "ok"}]
    answer = ask(gateway, messages=[*pair * 30, {"role": "user", "content": ANSWER}])
    assert answer.status_code == 200, answer.text
    found = known(gateway, answer.headers["X-Process-ID"])
    assert len(found) == 60
    assert {len(blocks[0]["text"]) for role, blocks in found if role == "user"} == {50_000}


@pytest.mark.parametrize("code", [0, 3])
def test_a_cli_that_exits_in_the_history_is_a_failure(gateway: Gateway, code: int) -> None:
    messages = [
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "ok"},
        {"role": "user", "content": f"exit {code}"},
        {"role": "assistant", "content": "ok"},
        {"role": "user", "content": ANSWER},
    ]
    assert refused(ask(gateway, messages=messages)) == (424, "cli_failed", None)


@pytest.mark.parametrize("how", ["cancel", "interrupt"])
def test_a_job_can_be_ended_in_the_middle_of_its_history(gateway: Gateway, how: str) -> None:
    flag = gateway.folder / f"never-{how}"
    messages = [
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "ok"},
        {"role": "user", "content": f"await {flag}"},
        {"role": "assistant", "content": "ok"},
        {"role": "user", "content": ANSWER},
    ]
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask, gateway, messages=messages)
        eventually(lambda: gateway.running() and _known_count(gateway) == 2)
        (row,) = gateway.running()
        if how == "cancel":
            path, method = f"/chat/{row['process_id']}", "DELETE"
        else:
            path, method = f"/jobs/{row['process_id']}/interrupt", "POST"
        assert gateway.ask(method, path).status_code in (200, 202)
        assert refused(answer.result())[1] == "cancelled"
    assert not marked_in(gateway.state)


def _known_count(gateway: Gateway) -> int:
    (row,) = gateway.running()
    output = gateway.state / "jobs" / row["process_id"] / "output"
    return output.read_bytes().count(b'"known"') if output.exists() else 0
