"""The cache of answers: which requests get the answer of an earlier one, and which do not."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support import anthropic_messages as anthropic
from tests.support import completions as openai
from tests.support import model_api
from tests.support.gateway import Gateway, eventually, running_gateway
from tests.support.real_cli import openai_settings
from tests.support.talk import await_turns

OTHER_KEY = "a-key-of-another-user"
END = (
    'line {"type":"result","subtype":"success","is_error":false,"result":"hi","stop_reason":'
    '"end_turn","usage":{"input_tokens":3,"output_tokens":1}}'
)


@pytest.fixture
def cached(gateway_with: Callable[..., Gateway]) -> Gateway:
    """A gateway with a cache, whose chat APIs answer in model mode."""
    return gateway_with(CACHE="600", CHAT_MODE="model", API_KEYS=f"other:{OTHER_KEY}")


def outcome(answer: requests.Response) -> tuple[str | None, str]:
    assert answer.status_code == 200, answer.text
    return answer.headers.get("X-Cache"), answer.headers["X-Process-ID"]


def complete(gateway: Gateway, *verbs: str, **named: Any) -> requests.Response:
    """A completion whose prompt is the test's own."""
    return openai.ask(gateway, *verbs, END, **named)


def test_an_equal_request_gets_the_same_answer_with_its_age(cached: Gateway) -> None:
    first = complete(cached, "complain equal")
    again = complete(cached, "complain equal")
    miss, job = outcome(first)
    assert (miss, first.headers.get("Age")) == ("miss", None)
    assert outcome(again) == ("hit", job)
    assert int(again.headers["Age"]) < 60
    same = [answer.json() for answer in (first, again)]
    assert same[0]["choices"] == same[1]["choices"] and same[0]["usage"] == same[1]["usage"]


def test_an_answer_is_replayed_as_a_stream_and_in_one_piece(cached: Gateway) -> None:
    streamed = complete(cached, "complain stream", stream=True)
    whole = complete(cached, "complain stream")
    replayed = complete(cached, "complain stream", stream=True)
    assert [outcome(answer)[0] for answer in (streamed, whole, replayed)] == ["miss", "hit", "hit"]

    def texts(answer: requests.Response) -> str:
        chunks = [chunk for chunk in openai.events(answer) if chunk != "[DONE]"]
        return "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks)

    assert texts(streamed) == texts(replayed) == whole.json()["choices"][0]["message"]["content"]
    assert openai.events(replayed)[-1] == "[DONE]"


@pytest.mark.parametrize(
    "other",
    [
        {"user": "someone"},
        {"seed": 7},
        {"temperature": 0.5},
        {"model": "opus"},
        {"max_tokens": 99},
        {"stop": ["x"]},
        {"tool_choice": "none"},
        {"headers": {"X-Claude-Effort": "high"}},
        {"auth": ("other", OTHER_KEY)},
    ],
    ids=str,
)
def test_another_request_gets_an_answer_of_its_own(cached: Gateway, other: dict[str, Any]) -> None:
    verb = f"complain {sorted(other)}"
    assert outcome(complete(cached, verb))[0] in ("miss", "hit")
    if "auth" in other:
        other = {"headers": {"Authorization": f"Bearer {OTHER_KEY}"}, "auth": None}
    assert outcome(complete(cached, verb, **other))[0] == "miss"


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"claude": {"mode": "agent"}},
        {"claude": {"tools": ["Read"]}},
        {"claude": {"detach": True}},
        {"claude": {"events": True}},
        {"headers": {"Idempotency-Key": "one"}},
        {"headers": {"Cache-Control": "no-store"}},
    ],
    ids=str,
)
def test_a_request_that_does_more_than_ask_is_never_cached(
    cached: Gateway, fields: dict[str, Any]
) -> None:
    answers = [cached_or_failed(cached, fields) for _ in range(2)]
    assert [answer.headers.get("X-Cache") for answer in answers] == [None, None]


def cached_or_failed(gateway: Gateway, fields: dict[str, Any]) -> requests.Response:
    return complete(gateway, f"complain never {sorted(map(str, fields.values()))}", **fields)


@pytest.mark.parametrize("stop_reason", ["max_tokens", "refusal", "stop_sequence", None])
def test_an_answer_that_did_not_end_by_itself_is_not_served(
    cached: Gateway, stop_reason: str | None
) -> None:
    end = END.replace('"end_turn"', json.dumps(stop_reason))
    for _ in range(2):
        answer = openai.ask(cached, f"complain {stop_reason}", end)
        assert outcome(answer)[0] == "miss"


def test_a_failure_is_not_served(cached: Gateway) -> None:
    for _ in range(2):
        answer = openai.ask(cached, "complain failure", END.replace("false", "true"))
        assert answer.status_code == 424
        assert answer.headers["X-Cache"] == "miss"


def test_the_client_can_ask_anew_or_for_a_young_answer(cached: Gateway) -> None:
    def ask(directive: str | None) -> tuple[str | None, str]:
        headers = {} if directive is None else {"Cache-Control": directive}
        return outcome(complete(cached, "complain directives", headers=headers))

    first = ask(None)
    anew = ask("no-cache")
    assert anew[0] == "miss" and anew[1] != first[1]
    # It has replaced the first one.
    assert ask("max-age=100") == ("hit", anew[1])
    assert ask("max-age=0")[0] == "miss"


def test_an_answer_is_served_for_the_time_of_the_setting(
    gateway_with: Callable[..., Gateway],
) -> None:
    gateway = gateway_with(CACHE="0.5", CHAT_MODE="model")
    first = outcome(complete(gateway, "complain time"))
    ended = time.monotonic()
    eventually(lambda: time.monotonic() > ended + 0.6)
    again = outcome(complete(gateway, "complain time"))
    assert (first[0], again[0]) == ("miss", "miss") and first[1] != again[1]


def test_without_the_setting_nothing_is_cached(gateway: Gateway) -> None:
    for _ in range(2):
        assert "X-Cache" not in complete(gateway, claude={"mode": "model"}).headers


def test_equal_requests_at_the_same_time_are_one_job_at_any_worker(cached: Gateway) -> None:
    flag = cached.folder / "go"
    with ThreadPoolExecutor(8) as pool:
        asked = [
            pool.submit(complete, cached, f"await {flag}", stream=number % 2 == 0)
            for number in range(8)
        ]
        eventually(lambda: len(cached.running()) == 1)
        flag.touch()
        found = [outcome(each.result()) for each in asked]
    assert len({job for _, job in found}) == 1
    assert [result for result, _ in found].count("miss") == 1


def test_a_job_that_others_may_join_outlives_its_client(cached: Gateway) -> None:
    flag = cached.folder / "go-on"
    body = {"messages": [{"role": "user", "content": f"await {flag}\n{END}"}]}
    with pytest.raises(requests.Timeout):
        cached.ask("POST", "/v1/chat/completions", json=body, timeout=1)
    # The gateway may have read the request late.
    eventually(lambda: len(cached.running()) == 1)
    (row,) = cached.running()
    flag.touch()
    assert outcome(complete(cached, f"await {flag}"))[1] == row["process_id"]


def test_a_removed_job_takes_its_answer_with_it(cached: Gateway) -> None:
    _, job = outcome(complete(cached, "complain removed"))
    assert cached.ask("DELETE", f"/jobs/{job}").status_code == 200
    assert outcome(complete(cached, "complain removed"))[0] == "miss"


def test_a_cache_outlives_a_restart_and_all_workers(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(CACHE="600", CHAT_MODE="model")
    _, job = outcome(complete(gateway, "complain restart"))
    gateway.stop()
    gateway.start()
    assert outcome(complete(gateway, "complain restart")) == ("hit", job)


def test_the_messages_of_anthropics_api_are_cached_apart(cached: Gateway) -> None:
    event = {"type": "message_start", "message": {"id": "m", "content": [], "usage": {}}}
    lines = [event, {"type": "message_stop"}]
    verbs = [
        "line " + json.dumps({"type": "stream_event", "parent_tool_use_id": None, "event": each})
        for each in lines
    ]
    first = anthropic.create(cached, *verbs, END)
    again = anthropic.create(cached, *verbs, END)
    streamed = anthropic.create(cached, *verbs, END, stream=True)
    assert [outcome(answer)[0] for answer in (first, again, streamed)] == ["miss", "hit", "hit"]
    assert first.json() == again.json()
    assert anthropic.events(streamed)[-1]["type"] == "message_stop"


def test_hits_and_misses_are_counted(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(CACHE="600", CHAT_MODE="model", API_KEYS=OTHER_KEY)
    for _ in range(3):
        complete(gateway)
    metrics = gateway.ask("GET", "/metrics").text
    assert 'claudecode2api_cache_requests_total{result="hit"} 2.0' in metrics
    assert 'claudecode2api_cache_requests_total{result="miss"} 1.0' in metrics
    assert 'claudecode2api_cache_requests_total{result="joined"} 0.0' in metrics
    assert gateway.ask("GET", "/stats").json()["cache"] == {"hit": 2, "joined": 0, "miss": 1}
    others = gateway.ask(
        "GET", "/stats", auth=None, headers={"Authorization": f"Bearer {OTHER_KEY}"}
    )
    assert "cache" not in others.json()


@pytest.mark.real
@pytest.mark.timeout(120)
def test_answers_of_the_real_cli_are_served_again(
    claude: Path, model: model_api.Server, tmp_path: Path
) -> None:
    settings = {**openai_settings(model), "CACHE": "600", "CHAT_MODE": "model"}
    with running_gateway(tmp_path, claude, **settings) as gateway:
        await_turns(gateway)
        schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
        form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
        for ask in (
            lambda: openai.ask(gateway, "hello"),
            lambda: anthropic.create(gateway, "hello"),
            lambda: openai.ask(gateway, 'json: {"n": 7}', response_format=form),
        ):
            first = ask()
            asked = len(model.asked)
            again = ask()
            assert outcome(first)[0] == "miss"
            assert outcome(again) == ("hit", outcome(first)[1])
            same = [answer.json().get("choices", answer.json()) for answer in (first, again)]
            assert same[0] == same[1]
            assert len(model.asked) == asked
        # One that the model could not answer is asked anew.
        failed = [openai.ask(gateway, "fail: 529 overloaded_error full") for _ in range(2)]
        assert [answer.headers["X-Cache"] for answer in failed] == ["miss", "miss"]
        cut = [openai.ask(gateway, "cut: max_tokens") for _ in range(2)]
        assert [outcome(answer)[0] for answer in cut] == ["miss", "miss"]
