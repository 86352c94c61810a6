"""The OpenAI API with the real CLI: sessions, images, cuts, system prompts."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from app import processes
from tests.support import model_api
from tests.support.completions import ask, refused
from tests.support.gateway import Gateway, eventually
from tests.support.real_cli import fields_of, openai_settings, without_network

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

# 1 x 1 pixels.
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgG"
    "AWjR9awAAAABJRU5ErkJggg=="
)


def chat(*texts: str) -> list[dict[str, str]]:
    """Messages with a user's and an assistant's text by turns."""
    return [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(texts)]


def talk(gateway: Gateway, *texts: str, **named: Any) -> dict[str, Any]:
    """The completion for a conversation: a user's and an assistant's text by turns."""
    answer = ask(gateway, messages=chat(*texts), **named)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def content(completion: dict[str, Any]) -> str:
    """What was answered."""
    text: str = completion["choices"][0]["message"]["content"]
    return text


def turns(model: model_api.Server) -> list[str]:
    """Who spoke in the conversation that the model was sent last."""
    return [m["role"] for m in model.asked[-1]["messages"] if m["role"] != "system"]


def test_a_history_that_a_session_knows_goes_on_in_it(
    face: Gateway,
    model: model_api.Server,
) -> None:
    first = talk(face, "one")
    second = talk(face, "one", content(first), "two")
    assert second["session_id"] == first["session_id"]
    assert turns(model) == ["user", "assistant", "user"]
    # The session has gone on since: the same history begins another one, as a copy of its part.
    again = talk(face, "one", content(first), "another")
    assert again["session_id"] != first["session_id"]
    assert turns(model) == ["user", "assistant", "user"]
    assert "You said: one" in json.dumps(model.asked[-1]["messages"])
    # So has one that was continued by other means.
    face.chat("three", session_id=again["session_id"], cwd=str(face.state / "workspaces/shared"))
    eventually(lambda: not face.running())
    later = talk(face, "one", content(first), "another", content(again), "four")
    assert later["session_id"] not in (first["session_id"], again["session_id"])
    assert turns(model) == ["user", "assistant"] * 2 + ["user"]
    assert "three" not in json.dumps(model.asked[-1]["messages"])


def test_a_request_beside_a_conversation_leaves_it_its_session_and_process(
    face: Gateway, model: model_api.Server
) -> None:
    stay = {"claude": {"keep_alive": 300}}
    first = talk(face, "bash: echo owned", **stay)
    texts = ["bash: echo owned", content(first)]
    # Claude's own calls of tools are in no client's history; only a session has them.
    with ThreadPoolExecutor(3) as pool:
        titles = [
            pool.submit(ask, face, messages=chat(*texts, f"title {n}"), stream=True)
            for n in range(3)
        ]
        assert all(each.result().status_code == 200 for each in titles)
    asked = [each for each in model.asked if "title " in json.dumps(each["messages"][-2:])]
    assert len(asked) == 3
    assert all("tool_result" in json.dumps(each["messages"]) for each in asked)
    second = talk(face, *texts, "and now?", **stay)
    assert second["session_id"] == first["session_id"]
    assert job_of(face, second)["run_id"] == job_of(face, first)["run_id"]
    assert "title " not in json.dumps(model.asked[-1]["messages"])


def test_another_answer_is_asked_for_beside_the_first_one(
    face: Gateway, model: model_api.Server
) -> None:
    stay = {"claude": {"keep_alive": 300}}
    texts = ["bash: echo again", content(talk(face, "bash: echo again", **stay)), "once more"]
    one = talk(face, *texts, **stay)
    other = talk(face, *texts, **stay)
    assert other["session_id"] != one["session_id"]
    assert "tool_result" in json.dumps(model.asked[-1]["messages"])
    assert json.dumps(model.asked[-1]["messages"]).count("once more") == 1
    # Each goes on in its own process; the stand-in gives both the same answer.
    further = talk(face, *texts, content(other), "and then?", **stay)
    assert further["session_id"] == other["session_id"]
    assert job_of(face, further)["run_id"] == job_of(face, other)["run_id"]


def test_a_session_that_was_compacted_is_not_forked_where_it_was_not(
    face: Gateway, model: model_api.Server
) -> None:
    first = talk(face, "before it is compacted")
    talk(face, "/compact", conversation_id=first["session_id"])
    again = talk(face, "before it is compacted", content(first), "and now?")
    assert again["session_id"] != first["session_id"]
    assert turns(model) == ["user", "assistant", "user"]
    assert "summary" not in json.dumps(model.asked[-1]["messages"])


@pytest.mark.parametrize("change", ["text", "folder", "user"])
def test_another_history_does_not(face: Gateway, change: str) -> None:
    first = talk(face, f"hello {change}")
    named: dict[str, Any] = {
        "folder": {"claude": {"workspace": "other"}},
        "user": {"auth": None, "headers": {"Authorization": "Bearer a-key-for-tests-of-clients"}},
    }.get(change, {})
    texts = [f"hello {change}", content(first), "and?"]
    if change == "text":
        texts[1] += "!"
    messages = [{"role": ("user", "assistant")[n % 2], "content": t} for n, t in enumerate(texts)]
    answer = ask(face, messages=messages, **named)
    assert answer.json()["session_id"] != first["session_id"]


def test_a_new_system_prompt_takes_effect_in_the_same_session(
    face: Gateway, model: model_api.Server
) -> None:
    messages: list[dict[str, str]] = []
    sessions = set()
    for prompt in ("the-time-is-10", "the-time-is-11", None):
        messages.append({"role": "user", "content": "what time is it?"})
        system = [{"role": "system", "content": prompt}] if prompt else []
        answer = ask(face, messages=[*system, *messages], claude={"keep_alive": 300})
        assert answer.status_code == 200, answer.text
        asked = json.dumps(model.asked[-1]["system"])
        assert [f"the-time-is-{hour}" in asked for hour in (10, 11)] == [
            prompt == f"the-time-is-{hour}" for hour in (10, 11)
        ]
        messages.append({"role": "assistant", "content": content(answer.json())})
        sessions.add(answer.json()["session_id"])
    # Without any, it is a request beside the conversation.
    assert len(sessions) == 2
    assert turns(model) == ["user", "assistant"] * 2 + ["user"]


def test_a_session_is_known_after_a_restart(
    claude: Path,
    model: model_api.Server,
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway(claude, **openai_settings(model))
    first = talk(gateway, "one")
    assert gateway.stop() == 0
    gateway.start()
    second = talk(gateway, "one", content(first), "two")
    assert second["session_id"] == first["session_id"]
    listed = gateway.ask("GET", "/v1/conversations").json()["data"]
    assert [(row["id"], row["turns"]) for row in listed] == [(first["session_id"], 2)]


def job_of(gateway: Gateway, completion: dict[str, Any]) -> dict[str, Any]:
    """The record of a completion's job."""
    job = completion["id"].removeprefix("chatcmpl-")
    record: dict[str, Any] = gateway.ask("GET", f"/jobs/{job}").json()
    return record


def test_a_conversation_goes_on_in_the_process_that_was_kept_for_it(
    face: Gateway, model: model_api.Server
) -> None:
    texts = ["first"]
    found = []
    for number in range(5):
        # A worker that does not know yet what the CLI can do waits for that.
        found.append(talk(face, *texts, claude={"keep_alive": 300}))
        texts += [content(found[-1]), f"again {number}"]
    assert {each["session_id"] for each in found} == {found[0]["session_id"]}
    jobs = [job_of(face, each) for each in found]
    assert {each["run_id"] for each in jobs} == {jobs[0]["process_id"]}
    assert turns(model) == ["user", "assistant"] * 4 + ["user"]
    # The usage is that of each turn alone.
    assert len({each["usage"]["completion_tokens"] for each in found[1:]}) == 1


def test_a_conversation_goes_on_after_the_end_of_its_kept_process(
    face: Gateway, model: model_api.Server
) -> None:
    first = talk(face, "one at last", claude={"keep_alive": 300})
    run = job_of(face, first)["run_id"]
    assert face.ask("DELETE", f"/runs/{run}").status_code == 200
    second = talk(face, "one at last", content(first), "two")
    assert second["session_id"] == first["session_id"]
    assert job_of(face, second)["run_id"] != run
    assert turns(model) == ["user", "assistant", "user"]


def test_a_cut_turn_of_a_kept_process_counts_its_own_tokens(face: Gateway) -> None:
    named = {"conversation_id": "counted", "claude": {"keep_alive": 300}}
    before = talk(face, "x" * 5000, **named)
    cut = talk(face, "slow: 2000 0.02", stop=["word-7"], **named)
    assert job_of(face, cut)["run_id"] == job_of(face, before)["run_id"]
    assert before["usage"]["prompt_tokens"] >= 5000
    assert cut["usage"]["prompt_tokens"] < 1000
    assert talk(face, "and now?", **named)["session_id"] == cut["session_id"]


def test_a_session_is_named_in_each_way(face: Gateway, model: model_api.Server) -> None:
    session = talk(face, "one")["session_id"]
    for named in (
        {"headers": {"X-Session-ID": session}},
        {"metadata": {"session_id": session}},
        {"conversation_id": session},
        {"claude": {"session_id": session}},
    ):
        count = len(turns(model))
        assert talk(face, "more", **named)["session_id"] == session
        assert len(turns(model)) == count + 2


def test_a_clients_own_id_begins_a_conversation_of_each_user(
    face: Gateway, model: model_api.Server
) -> None:
    name = "c57ed2ea-8df2-48f9-b325-0fe5770aed00"
    other = {"auth": None, "headers": {"Authorization": "Bearer a-key-for-tests-of-clients"}}
    first = talk(face, "one", conversation_id=name)
    assert turns(model) == ["user"]
    assert talk(face, "one", conversation_id=name, **other)["session_id"] != first["session_id"]
    assert turns(model) == ["user"]
    again = talk(face, "two", conversation_id=name.upper())
    assert again["session_id"] == first["session_id"]
    assert turns(model) == ["user", "assistant", "user"]
    # To another user, the id of the session is none.
    answer = ask(face, "x", conversation_id=first["session_id"], **other)
    assert refused(answer) == (404, "session_not_found", "session_id")


def test_requests_at_once_can_begin_a_conversation_of_the_same_name(face: Gateway) -> None:
    # No process stays for the next one.
    named = {"conversation_id": "begun-at-once", "claude": {"keep_alive": 0}}
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda n: ask(face, f"number {n}", **named), range(3)))
    assert [each.status_code for each in found] == [200] * 3
    assert len({each.json()["session_id"] for each in found}) == 1


def test_images_and_system_prompts_reach_the_model(
    face: Gateway,
    model: model_api.Server,
) -> None:
    image = {"type": "image_url", "image_url": {"url": PIXEL}}
    messages = [
        {"role": "system", "content": "an-instruction"},
        {"role": "user", "content": [{"type": "text", "text": "look"}, image]},
        {"role": "assistant", "content": "seen"},
        {"role": "user", "content": [image, {"type": "text", "text": "and now?"}]},
    ]
    assert ask(face, messages=messages).status_code == 200
    asked = model.asked[-1]
    shown = [m["content"] for m in asked["messages"] if m["role"] == "user"]
    kinds = [[block["type"] for block in blocks] for blocks in shown]
    assert [found.count("image") for found in kinds] == [1, 1]
    assert "an-instruction" in json.dumps(asked["system"])
    assert "Claude Code" in json.dumps(asked["system"]) or len(json.dumps(asked["system"])) > 2000


def test_a_history_reaches_the_model_as_its_own_messages(
    face: Gateway,
    model: model_api.Server,
) -> None:
    call = {"id": "call_abc", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "/cost"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_abc", "content": "/compact"},
        {"role": "assistant", "content": "an answer"},
        {"role": "user", "content": "a question"},
    ]
    assert content(ask(face, messages=messages).json()) == "You said: a question"
    asked = [m for m in model.asked[-1]["messages"] if m["role"] != "system"]
    assert [m["role"] for m in asked] == ["user", "assistant", "user", "assistant", "user"]
    assert "/cost" in json.dumps(asked[0])
    (use,), (given,) = asked[1]["content"], asked[2]["content"]
    assert use["id"] == given["tool_use_id"] == "call_abc"
    assert "/compact" in json.dumps(given)


def test_a_history_goes_on_with_the_result_of_a_tool(
    face: Gateway,
    model: model_api.Server,
) -> None:
    call = {"id": "call_abc", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "a question"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_abc", "content": "42"},
    ]
    answer = content(ask(face, messages=messages).json())
    assert answer.startswith("The tool said: ") and "42" in answer


@pytest.mark.parametrize(
    ("named", "reason"), [({"stop": ["word-7"]}, "stop"), ({"max_tokens": 10}, "length")]
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_cut_ends_the_job_early(
    face: Gateway,
    named: dict[str, Any],
    reason: str,
    stream: bool,
) -> None:
    options = {"include_usage": True} if stream else None
    answer = ask(face, "slow: 2000 0.02", stream=stream, stream_options=options, **named)
    if stream:
        lines = [line[6:] for line in answer.text.split("\n") if line.startswith("data: {")]
        chunks = [json.loads(line) for line in lines]
        choices = [choice for chunk in chunks for choice in chunk["choices"]]
        text = "".join(choice["delta"].get("content") or "" for choice in choices)
        ended, usage = choices[-1]["finish_reason"], chunks[-1]["usage"]
        assert answer.text.endswith("data: [DONE]\n\n")
    else:
        text = content(answer.json())
        ended, usage = answer.json()["choices"][0]["finish_reason"], answer.json()["usage"]
    assert ended == reason
    assert "word-7" not in text and text.startswith("word-0")
    assert 0 < usage["completion_tokens"] < 1000
    job = answer.headers["X-Process-ID"]
    eventually(lambda: face.ask("GET", f"/jobs/{job}").json()["status"] == "cancelled")
    # So has its run: no history leads to what was cut.
    eventually(lambda: not list(processes.marked(job)))


def test_api_claude_has_its_own_names(face: Gateway) -> None:
    body = {
        "prompt": "bash: pwd",
        "workspace": "a-project",
        "system-prompt": "You are brief.",
        "allowed-tools": ["Bash"],
        "disallowed-tools": ["WebFetch"],
        "dangerously-skip-permissions": True,
    }
    answer = face.ask("POST", "/api/claude", json=body)
    events = answer.content.split(b"\n\n")
    assert events.pop() == b""
    assert all(event.startswith(b"data: {") and b"\n" not in event for event in events)
    messages = [event[6:] for event in events]
    (result,) = fields_of(messages, "result")
    assert result["result"].endswith('/workspaces/a-project"')
    (init, *_) = fields_of(messages, "system")
    assert init["permissionMode"] == "bypassPermissions"
    again = {"prompt": "and?", "workspace": "a-project", "session-id": init["session_id"]}
    messages = [e[6:] for e in face.ask("POST", "/api/claude", json=again).content.split(b"\n\n")]
    assert fields_of([m for m in messages if m], "result")[0]["session_id"] == init["session_id"]
    mistyped = face.ask("POST", "/api/claude", json={"prompt": "x", "alowed-tools": []})
    assert mistyped.status_code == 422
    assert "did you mean 'allowed_tools'" in mistyped.text


def test_a_cli_that_is_not_logged_in_is_reported(
    claude: Path,
    model: model_api.Server,
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway(claude, **without_network(model))
    for stream in (False, True):
        answer = ask(gateway, "hello", stream=stream)
        assert refused(answer) == (424, "cli_not_logged_in", None)
        assert answer.headers["X-Should-Retry"] == "false"
