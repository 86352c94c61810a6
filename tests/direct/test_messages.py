"""`POST /v1/messages` by the direct backend: the request, the response, the job's record."""

from typing import Any

import pytest

from tests.support.anthropic_messages import events, refused
from tests.support.direct_api import Server
from tests.support.direct_api import events as upstream_events
from tests.support.direct_api import message as upstream_message
from tests.support.direct_client import MODEL, ask, sent
from tests.support.gateway import Gateway


def test_a_stream_is_that_of_the_models_api(direct: Gateway) -> None:
    for text in ("say one two", "think", "tool", "ping 2 0", "split"):
        verb, _, rest = text.partition(" ")
        answer = ask(direct, text, stream=True)
        assert events(answer) == list(upstream_events({"model": MODEL}, verb, rest)), text


def test_a_message_is_that_of_the_models_api(direct: Gateway) -> None:
    for text in ("say one two", "think", "tool"):
        verb, _, rest = text.partition(" ")
        assert ask(direct, text).json() == upstream_message({"model": MODEL}, verb, rest)


def test_the_body_is_forwarded_byte_for_byte(direct: Gateway, upstream: Server) -> None:
    body = (
        b'{ "model": "claude-haiku-4-5", "max_tokens":5,\n "temperature": 1.0, "new": [1e2],'
        b' "messages": [{"role": "user", "content": "say h\xc3\xa9 \\ud83d\\ude00"}]}'
    )
    headers = {
        "Content-Type": "application/json",
        "anthropic-version": "2024-01-01",
        "anthropic-beta": "one,two",
    }
    path = "/v1/messages?beta=true"
    answer = direct.ask("POST", path, data=body, headers=headers)
    assert answer.status_code == 200
    found = upstream.received[-1]
    assert found.body == body and found.path == path
    assert found.headers["anthropic-version"] == "2024-01-01"
    assert found.headers["anthropic-beta"] == "one,two"
    assert found.headers["x-api-key"] == "a-dummy-key"
    assert "authorization" not in found.headers and "cookie" not in found.headers
    assert found.headers["user-agent"].startswith("claudecode2api/")


def test_options_of_the_gateway_stay_here(direct: Gateway, upstream: Server) -> None:
    answer = ask(direct, "say hi", claude={"title": "A title", "timeout": 60}, temperature=0.5)
    passed_on = sent(upstream)
    assert "claude" not in passed_on and passed_on["temperature"] == 0.5
    assert passed_on["model"] == MODEL
    record = direct.ask("GET", f"/jobs/{answer.headers['X-Process-ID']}").json()
    assert record["title"] == "A title"


def test_the_job_has_a_record_with_its_cost(direct: Gateway) -> None:
    for stream in (True, False):
        answer = ask(direct, "say one two", stream=stream)
        # As soon as the client has the end.
        job = answer.headers["X-Process-ID"]
        record = direct.ask("GET", f"/jobs/{job}").json()
        assert record["status"] == "succeeded"
        assert record["model"] == MODEL and record["title"] == "say one two"
        assert record["result"] == "one two "
        assert record["usage"]["output_tokens"] == 200
        # 1000 of input, 2000 from the cache, 100 and 300 into it, 200 of output.
        dollars = 1000 * 1 + 2000 * 0.1 + 100 * 1.25 + 300 * 2 + 200 * 5
        assert record["total_cost_usd"] == pytest.approx(dollars / 1e6)
        assert job not in [row["process_id"] for row in direct.running()]
        assert job in [row["process_id"] for row in direct.ask("GET", "/jobs").json()["jobs"]]
        lines = direct.ask("GET", f"/chat/{job}").text
        assert '"result":"one two "' in lines and "event: done" in lines
    assert f"job {job} succeeded" in direct.log()


def test_the_cost_is_in_the_metrics(direct: Gateway) -> None:
    def cost() -> float:
        lines = direct.ask("GET", "/metrics").text.splitlines()
        (line,) = [each for each in lines if each.startswith("claudecode2api_cost_dollars_total ")]
        return float(line.split()[1])

    before = cost()
    ask(direct, "say one")
    assert cost() > before


def test_the_cost_is_in_the_report_of_usage(direct: Gateway) -> None:
    def used() -> dict[str, Any]:
        total: dict[str, Any] = direct.ask("GET", "/usage").json()["total"]
        return total

    before = used()
    ask(direct, "say one")
    after = used()
    assert after["jobs"] > before["jobs"]
    assert after["cost_usd"] > before["cost_usd"]
    assert after["output_tokens"] > before["output_tokens"]


def test_other_models_go_to_the_cli(direct: Gateway, upstream: Server) -> None:
    before = len(upstream.received)
    for named in ({"model": "opus"}, {"model": "sonnet"}, {"claude": {"backend": "cli"}}):
        ask(direct, "exit 3", **named)
    assert len(upstream.received) == before


def test_an_alias_is_resolved(gateway_with: Any, upstream: Server) -> None:
    aliases = f"fast={MODEL},sonnet=claude-sonnet-4-6"
    gateway = gateway_with(
        ANTHROPIC_BASE_URL=upstream.url,
        ANTHROPIC_API_KEY="a-dummy-key",
        DIRECT_MODELS="claude-*",
        MODEL_ALIASES=aliases,
        SPARES="0",
    )
    for name, model in (("fast", MODEL), ("anthropic/sonnet", "claude-sonnet-4-6")):
        assert ask(gateway, "say hi", model=name).json()["model"] == model
        assert sent(upstream)["model"] == model


def test_the_models_api_counts_tokens(direct: Gateway, upstream: Server) -> None:
    path = "/v1/messages/count_tokens"
    counted = ask(direct, "say hi", path=path, max_tokens=...)
    assert counted.json() == {"input_tokens": 1234} and "X-Estimated" not in counted.headers
    assert upstream.received[-1].path == path
    assert refused(ask(direct, "fail 529 overloaded_error - Busy", path=path))[0] == 529
    # It is no job.
    assert "X-Process-ID" not in counted.headers
    assert ask(direct, "say hi", path=path, model="opus").headers["X-Estimated"] == "true"


def test_a_proxy_is_used(gateway_with: Any, upstream: Server) -> None:
    settings = {
        "ANTHROPIC_BASE_URL": "http://api.invalid/base/",
        "ANTHROPIC_API_KEY": "a-dummy-key",
        "DIRECT_MODELS": "claude-*",
        "SPARES": "0",
        "HTTP_PROXY": upstream.url,
    }
    assert ask(gateway_with(**settings), "say hi").status_code == 200
    assert upstream.received[-1].path == "http://api.invalid/base/v1/messages"
    answer = ask(gateway_with(**settings, NO_PROXY="api.invalid"), "say hi")
    status, _, message = refused(answer)
    assert status == 503 and "The model's API at api.invalid cannot be reached" in message


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ({"claude": {"backend": "other"}}, "claude.backend: Must be cli or direct"),
        ({"model": "opus", "claude": {"backend": "direct"}}, "DIRECT_MODELS"),
        ({"claude": {"max_turns": 3}}, "claude.max_turns: The model 'claude-haiku-4-5' is served"),
        ({"claude": {"effort": "high"}}, "claude.effort: Set output_config.effort instead"),
        ({"claude": {"effort": "huge"}}, "claude.effort: Must be one of low"),
        ({"claude": {"detach": True}}, "claude.detach"),
        ({"claude": {"timeout": -1}}, "claude.timeout: Must be a number of seconds"),
        ({"claude": {"title": 1}}, "claude.title: Must be a text"),
        ({"stream": "yes"}, "stream: Must be true or false"),
        ({"headers": {"Idempotency-Key": "k"}}, "keeps no answer for a repeated request"),
        ({"headers": {"X-Claude-Backend": "x"}}, "Must be cli or direct"),
    ],
)
def test_what_cannot_be_is_refused(
    direct: Gateway, upstream: Server, named: dict[str, Any], said: str
) -> None:
    before = len(upstream.received)
    status, kind, message = refused(ask(direct, "say hi", **named))
    assert (status, kind) == (400, "invalid_request_error")
    assert said in message
    assert len(upstream.received) == before and not direct.running()


def test_a_direct_job_takes_no_messages(direct: Gateway) -> None:
    job = ask(direct, "say hi").headers["X-Process-ID"]
    answer = direct.ask("POST", f"/jobs/{job}/messages", json={"text": "more"})
    assert answer.status_code == 409
