"""Chat completions of a real gateway with the fake CLI: options, folders, errors, cancelling."""

import base64
import json
import time
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.completions import ANSWER, BEGIN, DELTA, PNG, ask, events, received, refused
from tests.support.gateway import PATIENCE, Gateway, eventually, marked_in

# Folders and options


def test_without_a_folder_the_shared_workspace_is_used(gateway: Gateway) -> None:
    seen = received(gateway)
    assert seen["cwd"] == str(gateway.state / "workspaces/shared")
    assert "--include-partial-messages" in seen["argv"]
    assert "--model=sonnet" in seen["argv"]
    assert any(argument.startswith("--session-id=") for argument in seen["argv"])


@pytest.mark.parametrize(
    ("model", "argument"),
    [
        ("gpt-4o", "--model=opus"),
        ("openai/gpt-4o", "--model=opus"),
        ("anthropic/claude-haiku-4-5", "--model=claude-haiku-4-5"),
        ("claude-code/haiku", "--model=haiku"),
        ("openai/claude-code", "--model=sonnet"),
    ],
)
def test_a_model_has_other_names(
    gateway_with: Callable[..., Gateway], model: str, argument: str
) -> None:
    gateway = gateway_with(MODEL_ALIASES="gpt-4o=opus")
    assert argument in received(gateway, model=model)["argv"]
    if "claude-code" not in model:
        assert gateway.ask("GET", f"/v1/models/{model}").status_code == 200


def test_a_workspace_is_made_on_first_use(gateway: Gateway) -> None:
    seen = received(gateway, claude={"workspace": "päge-1.x"})
    assert seen["cwd"] == str(gateway.state / "workspaces/päge-1.x")


@pytest.mark.parametrize("name", ["..", "a/b", "/srv", "", ".hidden", "a\nb", "x" * 101, "-x"])
def test_a_workspace_does_not_leave_its_folder(gateway: Gateway, name: str) -> None:
    answer = ask(gateway, "x", claude={"workspace": name})
    if name:
        assert refused(answer)[:2] == (400, "bad_directory")


def test_a_link_out_of_the_workspaces_is_refused(gateway: Gateway, tmp_path: Path) -> None:
    received(gateway)
    link = gateway.state / "workspaces/link"
    link.symlink_to(tmp_path)
    try:
        assert refused(ask(gateway, "x", claude={"workspace": "link"}))[1] == "bad_directory"
    finally:
        link.unlink()


def test_options_in_headers_and_in_the_body(gateway: Gateway) -> None:
    headers = {"X-Claude-Cwd": str(gateway.project), "X-Claude-Allowed-Tools": "Read, Bash(a, b)"}
    seen = received(gateway, headers=headers, claude={"fallback_model": "haiku"}, model="opus")
    assert seen["cwd"] == str(gateway.project)
    for argument in (
        *("--allowed-tools=Read", "--allowed-tools=Bash(a, b)"),
        *("--fallback-model=haiku", "--model=opus"),
    ):
        assert argument in seen["argv"]
    assert "--dangerously-skip-permissions" not in seen["argv"]


def test_the_body_wins_over_headers(gateway: Gateway) -> None:
    headers = {"X-Claude-Permission-Mode": "plan"}
    seen = received(gateway, headers=headers, claude={"permission-mode": "acceptEdits"})
    assert "--permission-mode=acceptEdits" in seen["argv"]


def test_lines_of_a_prompt_are_options_only_if_the_operator_says_so(
    gateway: Gateway, start_gateway: Callable[..., Gateway]
) -> None:
    lines = ["workspace=mine", 'allowed-tools=["Bash"]', "dangerously-skip-permissions=true", ""]
    given = received(gateway, *lines)
    assert given["cwd"].endswith("/workspaces/shared")
    assert "--allowed-tools=Bash" not in given["argv"]
    willing = start_gateway(PROMPT_OPTIONS="true")
    seen = received(willing, *lines)
    assert seen["cwd"].endswith("/workspaces/mine")
    assert {"--allowed-tools=Bash", "--permission-mode=bypassPermissions"} <= set(seen["argv"])
    # They hold for what comes after.
    messages = [
        {"role": "user", "content": "workspace=mine\n\nhello"},
        {"role": "assistant", "content": "hi"},
        {"role": "user", "content": "what"},
    ]
    ask(willing, messages=messages)
    newest = willing.ask("GET", "/jobs?limit=1").json()["jobs"][0]
    assert newest["cwd"].endswith("/workspaces/mine")
    input_ = (willing.state / "jobs" / newest["process_id"] / "message").read_text()
    assert "workspace=mine" not in input_


def test_system_messages_are_appended_or_replace(gateway: Gateway) -> None:
    messages = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": f"arguments\n{ANSWER}"},
    ]
    seen = received(gateway, messages=messages)
    assert seen["files"]["--append-system-prompt-file"] == "be brief"
    seen = received(gateway, messages=messages, headers={"X-Claude-System": "replace"})
    assert seen["files"]["--system-prompt-file"] == "be brief"


def test_folders_are_bounded_by_the_operator(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "x.png").write_bytes(PNG)
    (tmp_path / "y.png").write_bytes(PNG)
    (inside / "link.png").symlink_to(tmp_path / "y.png")
    gateway = start_gateway(CWD_ROOTS=str(inside))
    received(gateway)
    received(gateway, claude={"cwd": str(inside)})
    assert refused(ask(gateway, "x", claude={"cwd": "/srv"}))[:2] == (403, "directory_not_allowed")
    for path, status in (
        *((inside / "x.png", 200), (tmp_path / "y.png", 400), (inside / "link.png", 400)),
        *((inside / "none.png", 400), (inside, 400)),
    ):
        parts = [
            {"type": "text", "text": ANSWER},
            {"type": "image_url", "image_url": {"url": str(path)}},
        ]
        answer = ask(gateway, messages=[{"role": "user", "content": parts}])
        assert answer.status_code == status, (path, answer.text)
    newest = gateway.ask("GET", "/jobs?limit=1").json()["jobs"][0]
    message = json.loads((gateway.state / "jobs" / newest["process_id"] / "message").read_bytes())
    block = message["message"]["content"][1]
    assert block["source"]["media_type"] == "image/png"
    assert base64.b64decode(block["source"]["data"]) == PNG


# Errors


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        ({"messages": "x"}, 400, "invalid_request", "messages"),
        ({"messages": [{"role": "robot"}]}, 400, "invalid_request", "messages[0].role"),
        ({"max_tokens": 0}, 400, "invalid_request", "max_tokens"),
        ({"stop": [""]}, 400, "invalid_request", "stop[0]"),
        ({"claude": {"timeout": -1}}, 400, "invalid_request", "claude.timeout"),
        ({"claude": {"cmd": "x"}}, 400, "invalid_request", "claude.cmd"),
        ({"claude": {"cwd": "/no/such"}}, 400, "bad_directory", "claude"),
        ({"model": "gpt-5"}, 404, "model_not_found", "model"),
        ({"conversation_id": "a", "session_id": "b"}, 400, "invalid_value", "session_id"),
        ({"response_format": {"type": "x"}}, 400, "invalid_request", "response_format.type"),
    ],
)
def test_a_bad_parameter_is_named(
    gateway: Gateway, body: dict[str, Any], status: int, code: str, param: str | None
) -> None:
    assert refused(ask(gateway, "x", **body)) == (status, code, param)


def test_what_is_wrong_with_the_request_itself_has_the_shape_too(gateway: Gateway) -> None:
    path = "/v1/chat/completions"
    text = gateway.ask("POST", path, data=b"x", headers={"Content-Type": "text/plain"})
    assert refused(text)[:2] == (415, "unsupported_media_type")
    broken = gateway.ask("POST", path, data=b"{", headers={"Content-Type": "application/json"})
    assert refused(broken)[:2] == (400, "invalid_request")
    assert refused(gateway.ask("GET", path))[:2] == (405, "method_not_allowed")
    assert refused(gateway.ask("GET", "/v1/none"))[:2] == (404, "not_found")
    stranger = gateway.ask("GET", "/v1/models", auth=None)
    assert refused(stranger)[:2] == (401, "invalid_api_key")
    assert stranger.headers["WWW-Authenticate"].startswith("Basic")
    key = {"Authorization": "Bearer wrong"}
    assert refused(gateway.ask("GET", "/v1/models", auth=None, headers=key))[0] == 401


@pytest.mark.parametrize("stream", [False, True])
def test_a_failure_of_the_cli_has_its_words(gateway: Gateway, stream: bool) -> None:
    answer = ask(gateway, "complain boom", "exit 3", stream=stream)
    assert refused(answer)[:2] == (424, "cli_failed")
    assert "boom" in answer.json()["error"]["message"]
    assert answer.headers["X-Should-Retry"] == "false"
    assert gateway.ask("GET", f"/jobs/{answer.headers['X-Process-ID']}").status_code == 200


@pytest.mark.parametrize("upstream", [400, 404, 413, 429, 503, 529, 401, 403, 500])
def test_what_the_models_api_refused_is_passed_on_until_a_tool_has_run(
    gateway: Gateway, upstream: int
) -> None:
    seen = {"type": "result", "is_error": True, "api_error_status": upstream, "result": "No."}
    failure = f"line {json.dumps(seen)}"
    call = {"type": "tool_use", "id": "t", "name": "Bash", "input": {}}
    ran = f"line {json.dumps({'type': 'assistant', 'message': {'content': [call]}})}"
    answer = ask(gateway, failure, "exit 1")
    passed_on = upstream if upstream in (400, 404, 413, 429, 503, 529) else 424
    assert (answer.status_code, answer.json()["error"]["message"]) == (passed_on, "No.")
    assert answer.headers["X-Should-Retry"] == "false"
    answer = ask(gateway, ran, failure, "exit 1")
    assert (answer.status_code, answer.json()["error"]["message"]) == (424, "No.")


def test_a_failure_in_mid_stream_is_the_last_event(gateway: Gateway) -> None:
    *chunks, last = events(ask(gateway, BEGIN, DELTA, "exit 3", stream=True))
    assert last["error"]["code"] == "cli_failed"
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, None]
    assert chunks[1]["choices"][0]["delta"]["content"] == "héllo \u2028"


def test_a_cancelled_completion_is_an_error(gateway: Gateway) -> None:
    answer = ask(gateway, BEGIN, DELTA, "silent", stream=True, stream_body=True)
    job = answer.headers["X-Process-ID"]
    assert gateway.ask("DELETE", f"/chat/{job}").status_code == 200
    assert events(answer)[-1]["error"]["code"] == "cancelled"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("keep_alive", [0, 60])
def test_hanging_up_cancels_the_job(gateway: Gateway, stream: bool, keep_alive: int) -> None:
    body = {
        "messages": [{"role": "user", "content": f"{BEGIN}\n{DELTA}\nsilent"}],
        "stream": stream,
        "claude": {"keep_alive": keep_alive},
    }
    headers = {"Content-Type": "application/json", "Authorization": gateway.authorization}
    with closing(HTTPConnection("127.0.0.1", gateway.port)) as client:
        client.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        (row,) = eventually(gateway.running)
        output = gateway.state / "jobs" / row["process_id"] / "output"
        eventually(lambda: b"content_block_delta" in output.read_bytes())
    eventually(lambda: not gateway.running())
    job = gateway.ask("GET", f"/jobs/{row['process_id']}").json()
    assert job["status"] == "cancelled"
    # A run that is kept has been interrupted, and goes on.
    assert bool(marked_in(gateway.state)) == (keep_alive > 0)


def test_a_silent_stream_begins_and_pings(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(HEARTBEAT="0.2")
    answer = ask(gateway, "silent", stream=True, stream_body=True)
    assert answer.raw.readline() == b": ping\n"
    answer.close()


def test_a_late_answer_begins_with_white_space(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(HEARTBEAT="0.2", HEAD_DELAY="0.3")
    flag = gateway.folder / "flag"
    answer = ask(gateway, f"await {flag}", ANSWER, stream_body=True)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.raw.read(1) == b" "
    flag.touch()
    completion = json.loads(answer.raw.read())
    assert completion["choices"][0]["message"]["content"] == "done"


def test_a_late_failure_breaks_the_body_off(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(HEARTBEAT="0.2", HEAD_DELAY="0")
    flag = gateway.folder / "flag"
    answer = ask(gateway, f"await {flag}", "exit 3", stream_body=True)
    assert answer.status_code == 200
    flag.touch()
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        for _ in answer.iter_content(1):
            continue
    assert "is broken off: cli_failed" in gateway.log()
    assert "Traceback" not in gateway.log()


def test_a_completion_that_waits_for_its_turn_says_so(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway(MAX_JOBS="1", QUEUE_SIZE="1", API_KEYS="a-key-for-this-test")
    gateway.chat("silent")
    eventually(gateway.running)
    waiting = ask(gateway, "silent", stream=True, stream_body=True)
    assert waiting.raw.readline() == b": queued 1\n"
    full = ask(gateway, "x", auth=None, headers={"Authorization": "Bearer a-key-for-this-test"})
    assert refused(full)[:2] == (429, "rate_limit_exceeded")
    assert int(full.headers["Retry-After"]) > 0
    waiting.close()


def test_a_stop_of_the_gateway_is_an_error(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway()
    answer = ask(gateway, BEGIN, DELTA, "silent", stream=True, stream_body=True)
    assert gateway.stop() == 0
    assert events(answer)[-1]["error"]["code"] == "gateway_stops"


def test_a_request_that_is_sent_twice_is_done_once(gateway: Gateway) -> None:
    headers = {"Idempotency-Key": f"key-{time.monotonic()}"}
    first, second = (ask(gateway, ANSWER, headers=headers) for _ in range(2))
    assert first.headers["X-Process-ID"] == second.headers["X-Process-ID"]
    assert first.json()["choices"] == second.json()["choices"]


@pytest.mark.alone
def test_a_hundred_thousand_pieces_let_others_be_served(gateway: Gateway) -> None:
    text = DELTA.removeprefix("line ")
    many = f"repeat 100000 {text}"
    began = time.monotonic()
    answer = ask(gateway, BEGIN, many, ANSWER, stream=True, stream_body=True)
    slowest = 0.0
    received_bytes = 0
    for number, chunk in enumerate(answer.iter_content(1 << 20)):
        received_bytes += len(chunk)
        if number % 20:
            continue
        asked = time.monotonic()
        assert gateway.ask("GET", "/health", auth=None).status_code == 200
        slowest = max(slowest, time.monotonic() - asked)
    assert received_bytes > 100_000 * 200
    assert slowest < 1.0
    assert time.monotonic() - began < PATIENCE
