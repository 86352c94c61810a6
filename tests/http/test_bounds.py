"""Bounds on what a client sends, checked before it is parsed, in every API."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from app.conversation import options
from app.errors import InvalidRequest
from app.json_body import MOST_ITEMS
from app.openai.chat_body import read_completion
from tests.support.gateway import Gateway, eventually

#: Seconds of CPU that reading a request of 32 MB may take here; of its size, it takes 0.3.
PATIENCE = 2.0
LONG = "x" * (10 << 20)

FACES = {
    "/chat": lambda fields: {"prompt": "x", "cwd": "/", **fields},
    "/api/claude": lambda fields: {"prompt": "x", **fields},
    "/v1/chat/completions": lambda fields: {"messages": [], **fields},
    "/v1/conversations": lambda fields: {"metadata": {}, **fields},
}


def refused(answer: requests.Response) -> str:
    """The text of a refusal, which quotes no more than a little of the request."""
    assert answer.status_code in (400, 422), answer.status_code
    assert len(answer.content) < 10_000
    return answer.text


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize(
    "fields",
    [
        {"xyzzy": [1] * MOST_ITEMS},
        {f"field-{number}": 1 for number in range(2000)},
        {LONG: 1},
        {"model": {"a": {LONG: LONG}}},
    ],
    ids=["items", "fields", "name", "nested"],
)
def test_a_face_refuses_what_is_too_much(
    gateway: Gateway, face: str, fields: dict[str, Any]
) -> None:
    body = json.dumps(FACES[face](fields))
    begun = time.monotonic()
    refused(gateway.ask("POST", face, data=body, headers={"Content-Type": "application/json"}))
    assert time.monotonic() - begun < 5 * PATIENCE
    # Meanwhile no other client waited long, and nothing is left of it.
    eventually(lambda: gateway.ask("GET", "/health").elapsed.total_seconds() < 1)


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"role": "nobody", "content": "x"}] * 10_000},
        {"messages": [{"role": "user", "content": [{"type": LONG, "text": "x"}]}]},
        {"messages": [{"role": "user", "content": [{"type": "text"}] * 9_000}]},
        {"messages": [{"role": "user", "content": "x"}] * 10_001},
        {"messages": [{"role": "assistant", "tool_calls": [1] * 9_000}]},
        {"messages": [{"role": "user", "content": "x"}], "stop": [1] * 90_000},
        {"messages": [{"role": "user", "content": "x"}], "stop": ["x" * 257] * 90_000},
        {"messages": [{"role": "user", "content": "x"}], "tools": [{"a": 1}] * 9_000},
    ],
)
def test_a_completion_of_many_mistakes_is_refused_for_the_first(body: dict[str, Any]) -> None:
    text = json.dumps(body).encode()
    begun = time.process_time()
    with pytest.raises(Exception) as error:
        read_completion(text)
    assert time.process_time() - begun < PATIENCE
    assert len(str(error.value)) < 5000


def test_a_long_conversation_is_read_in_a_moment() -> None:
    part = {"type": "text", "text": "word " * 100}
    body = {"messages": [{"role": "user", "content": [part]}] * 10_000}
    text = json.dumps(body).encode()
    begun = time.process_time()
    assert len(read_completion(text).messages) == 10_000
    assert time.process_time() - begun < PATIENCE


HEADERS = [
    # Commas that once held a worker up for seconds, and what is like them.
    ("X-Claude-Allowed-Tools", ",(" * 4000),
    ("X-Claude-Allowed-Tools", "," * 8000),
    ("X-Claude-Allowed-Tools", "(" * 8000),
    ("X-Claude-Allowed-Tools", "[" * 8000),
    ("X-Claude-Agents", '{"a":' * 1300),
    ("X-Claude-Timeout", "1" * 8000),
    ("X-Claude-" + "x" * 8000, "1"),
]


@pytest.mark.parametrize(("name", "value"), HEADERS, ids=range(len(HEADERS)))
def test_a_header_is_read_in_a_moment(name: str, value: str) -> None:
    begun = time.process_time()
    for _ in range(16):
        try:
            options.from_headers([(name, value)])
        except InvalidRequest as error:
            assert len(str(error)) < 1000
    assert time.process_time() - begun < PATIENCE


#: Made when they are needed: together they take 120 MB.
PROMPTS = [
    lambda: "\n" * (16 << 20),
    lambda: "verbose=true\n" * (1 << 20),
    lambda: "a" * (16 << 20) + "=1",
    lambda: "-" * (16 << 20),
    lambda: "cwd=" + LONG,
    lambda: "tools=" + "a," * (4 << 20),
    lambda: "=\n" * (8 << 20),
]


@pytest.mark.parametrize("make", PROMPTS, ids=range(len(PROMPTS)))
def test_options_are_looked_for_in_the_first_lines_of_a_prompt_alone(
    make: Callable[[], str],
) -> None:
    text = make()
    begun = time.process_time()
    found, rest = options.from_prompt(text)
    assert time.process_time() - begun < PATIENCE
    assert len(found) <= 1
    assert rest or not text.strip()


def test_an_option_of_any_name_is_refused_with_the_beginning_of_its_name() -> None:
    begun = time.process_time()
    for name in (LONG, "allowed_tool" + LONG, LONG.upper()):
        with pytest.raises(InvalidRequest) as error:
            options.from_json({name: 1}, "claude")
        assert len(str(error.value)) < 1000
    assert time.process_time() - begun < PATIENCE


@pytest.mark.parametrize(
    ("method", "path", "fields"),
    [
        ("GET", "/chat/" + "x" * 3000, {}),
        ("DELETE", "/chat/" + "x" * 3000, {}),
        ("GET", "/jobs/" + "x" * 3000, {}),
        ("GET", "/jobs?limit=" + "9" * 3000, {}),
        ("GET", "/jobs?status=" + "x" * 3000, {}),
        ("GET", "/jobs?before=" + "x" * 3000, {}),
        ("GET", "/v1/models/" + "x" * 3000, {}),
        ("GET", "/v1/conversations/" + "x" * 3000, {}),
        ("POST", "/chat", {"json": {"prompt": "x", "cwd": "/" + "x/" * (5 << 20)}}),
        ("POST", "/chat", {"json": {"prompt": "x", "cwd": LONG}}),
        ("POST", "/chat", {"json": {"prompt": "x", "cwd": "/", "session_id": LONG}}),
        ("POST", "/chat", {"json": {"prompt": "x", "cwd": "/", "model": LONG}}),
        ("POST", "/chat", {"json": {"prompt": "x", "cwd": "/", "title": LONG}}),
        ("POST", "/api/claude", {"json": {"prompt": "x", "workspace": LONG}}),
        (
            "POST",
            "/chat",
            {"data": "x", "headers": {"Content-Type": f"text/plain;charset={'x' * 5000}"}},
        ),
        ("POST", "/chat?cwd=/&agents=" + "[" * 2000, {"data": "x"}),
        ("POST", "/chat?" + "&".join(f"a{n}=" for n in range(500)), {"data": "x"}),
    ],
)
def test_an_error_quotes_the_beginning_of_a_value(
    gateway: Gateway, method: str, path: str, fields: dict[str, Any]
) -> None:
    if "data" in fields:
        fields.setdefault("headers", {"Content-Type": "text/plain"})
    answer = gateway.ask(method, path, **fields)
    assert 400 <= answer.status_code < 500
    assert len(answer.content) < 6000
    assert "x" * 300 not in answer.text


@pytest.mark.parametrize(
    ("kind", "body", "prompt"),
    [
        ("text/plain", "\ufeff/cost", "/cost"),
        ("text/plain", "/cost", "/cost"),
        ("text/plain; charset=utf-8", "h\u00e9", "h\u00e9"),
    ],
)
def test_a_prompt_as_text_has_no_byte_order_mark(
    gateway: Gateway, kind: str, body: str, prompt: str
) -> None:
    for encoding, declared in (("utf-8", kind), ("utf-16", kind), ("utf-32", kind)):
        if encoding != "utf-8" and not body.startswith("\ufeff"):
            # Python writes the mark by itself.
            declared = "text/plain"
        answer = gateway.ask(
            "POST",
            f"/chat?cwd={gateway.project}",
            data=body.removeprefix("\ufeff" if encoding != "utf-8" else "").encode(encoding),
            headers={"Content-Type": declared, "Prefer": "respond-async"},
        )
        assert answer.status_code == 202
        job = answer.json()["process_id"]
        (line,) = (gateway.state / "jobs" / job / "message").read_text().splitlines()
        assert json.loads(line)["message"]["content"] == prompt
    eventually(lambda: not gateway.running())


def test_a_prompt_is_read_as_its_charset_says(gateway: Gateway) -> None:
    def post(charset: str, body: bytes) -> requests.Response:
        headers = {"Content-Type": f"text/plain; charset={charset}", "Accept": "application/json"}
        return gateway.ask("POST", f"/chat?cwd={gateway.project}", data=body, headers=headers)

    assert post("ISO-8859-1", b"result ok\n\xe9").status_code == 200
    assert post("utf-8", b"result ok\n\xe9").json()["detail"][0]["type"] == "wrong_encoding"
    assert post("ebcdic", b"x").status_code == 415


@pytest.mark.parametrize("path", ["/chat", "/api/claude", "/v1/chat/completions"])
def test_a_compressed_body_is_not_supported(gateway: Gateway, path: str) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = gateway.ask("POST", path, data=b"\x1f\x8b", headers=headers)
    assert answer.status_code == 415
    assert "Content-Encoding: gzip" in answer.text
    headers["Content-Encoding"] = "Identity"
    answer = gateway.ask("POST", path, data=b"{}", headers=headers)
    assert answer.status_code in (400, 422)


def test_a_history_with_half_a_character_in_it_goes_on(gateway: Gateway) -> None:
    answer = '{"type":"assistant","message":{"content":[{"type":"text","text":"a\\ud83d"}]}}'
    ended = '{"type":"result","is_error":false,"result":"a\\ud83d"}'
    messages = [{"role": "user", "content": f"line {answer}\nline {ended}"}]
    answer = gateway.ask("POST", "/v1/chat/completions", json={"messages": messages})
    assert answer.status_code == 200
    message = json.loads(answer.content)["choices"][0]["message"]
    messages += [message, {"role": "user", "content": "result ok"}]
    answer = gateway.ask(
        "POST",
        "/v1/chat/completions",
        data=json.dumps({"messages": messages}),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 200
