"""What Anthropic's API refuses: each error has its shape and names what is wrong."""

from typing import Any

import pytest
import requests

from tests.support.anthropic_messages import create, refused
from tests.support.gateway import Gateway

USER = {"role": "user", "content": "hello"}
ASSISTANT = {"role": "assistant", "content": "hi"}
TOOL = {"name": "weather", "input_schema": {"type": "object"}}


def blocks(*content: Any, role: str = "user") -> dict[str, Any]:
    """A body with one message of these blocks, or of what is no block."""
    return {"messages": [{"role": role, "content": list(content)}]}


def image(**source: Any) -> dict[str, Any]:
    """A body with an image."""
    return blocks({"type": "image", "source": source})


def tools(*offered: Any, **choice: Any) -> dict[str, Any]:
    """A body with tools, and the choice between them."""
    return {"tools": list(offered), **({"tool_choice": choice} if choice else {})}


def server_tool(kind: str) -> dict[str, Any]:
    """A body with a tool that the model's API carries out."""
    return tools({"type": kind, "name": kind.rsplit("_", 1)[0]})


# What is wrong, and the parameter that the message begins with.
WRONG: list[tuple[dict[str, Any], str]] = [
    # Without what must be there (`...` is left out)
    *[({name: ...}, name) for name in ("model", "max_tokens", "messages")],
    *[({name: None}, name) for name in ("model", "max_tokens", "messages")],
    # Numbers and switches
    *[({"max_tokens": value}, "max_tokens") for value in (0, -1, "100", 1.5, True, [])],
    *[({"stream": value}, "stream") for value in ("yes", 1, [])],
    *[({"model": value}, "model") for value in ("", 5, ["sonnet"])],
    ({"model": "gpt-5"}, "model"),
    # Messages
    *[({"messages": value}, "messages") for value in ([], "hello", {}, 5)],
    *[({"messages": [value]}, "messages.0") for value in ("hello", 5, None)],
    *[
        ({"messages": [{"role": role, "content": "x"}]}, "messages.0.role")
        for role in ("tool", "developer", "USER", "", None, 5)
    ],
    ({"messages": [{"content": "x"}]}, "messages.0.role"),
    ({"messages": [{"role": "user"}]}, "messages.0.content"),
    *[
        ({"messages": [{"role": "user", "content": value}]}, "messages.0.content")
        for value in ([], None, 5, {})
    ],
    ({"messages": [USER, ASSISTANT, {"role": "user", "content": []}]}, "messages.2.content"),
    ({"messages": [{"role": "user", "content": ""}]}, "messages"),
    ({"messages": [{"role": "user", "content": "  \n"}]}, "messages"),
    ({"messages": [USER, ASSISTANT]}, "messages.1.role"),
    ({"messages": [ASSISTANT]}, "messages.0.role"),
    ({"messages": [{"role": "system", "content": "x"}]}, "messages"),
    # Blocks
    *[(blocks(value), "messages.0.content.0") for value in ("hello", 5, None, [])],
    (blocks({"text": "x"}), "messages.0.content.0.type"),
    (blocks({"type": 5, "text": "x"}), "messages.0.content.0.type"),
    (blocks({"type": "text"}), "messages.0.content.0.text"),
    (blocks({"type": "text", "text": 5}), "messages.0.content.0.text"),
    (blocks({"type": "video"}), "messages.0.content.0.type"),
    (blocks({"type": "container_upload", "file_id": "f"}), "messages.0.content.0.type"),
    (blocks({"type": "thinking", "thinking": "x"}), "messages.0.content.0.type"),
    (
        blocks({"type": "tool_use", "id": "a", "name": "b", "input": {}}),
        "messages.0.content.0.type",
    ),
    (blocks({"type": "image", "source": {}}, role="system"), "messages.0.content.0.source"),
    (blocks({"type": "image"}), "messages.0.content.0.source"),
    (image(), "messages.0.content.0.source"),
    (image(type="disk", path="/etc/passwd"), "messages.0.content.0.source"),
    (image(type="base64", media_type="image/png"), "messages.0.content.0.source.data"),
    (image(type="base64", data="AAAA"), "messages.0.content.0.source.media_type"),
    (image(type="base64", media_type="image/png", data=""), "messages.0.content.0.source.data"),
    (blocks({"type": "document", "source": "x"}), "messages.0.content.0.source"),
    (blocks({"type": "tool_result", "content": "x"}), "messages.0.content.0.tool_use_id"),
    (
        blocks({"type": "tool_result", "tool_use_id": "a", "content": 5}),
        "messages.0.content.0.content",
    ),
    (
        blocks({"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text"}]}),
        "messages.0.content.0.content.0.text",
    ),
    (
        blocks({"type": "tool_result", "tool_use_id": "a", "is_error": "no"}),
        "messages.0.content.0.is_error",
    ),
    (
        {"messages": [USER, {"role": "assistant", "content": [{"type": "tool_use", "id": "a"}]}]},
        "messages.1.content.0.name",
    ),
    # The system prompt
    ({"system": 5}, "system"),
    ({"system": [{"type": "image"}]}, "system.0.type"),
    ({"system": [{"type": "text"}]}, "system.0.text"),
    # Tools
    *[({"tools": value}, "tools") for value in ("x", {}, 5)],
    (tools("x"), "tools.0"),
    (tools({"input_schema": {}}), "tools.0.name"),
    (tools({"name": "a"}), "tools.0.input_schema"),
    (tools({"name": "a", "input_schema": "x"}), "tools.0.input_schema"),
    (tools({"name": "a b", "input_schema": {}}), "tools.0.name"),
    (tools({"name": "x" * 129, "input_schema": {}}), "tools.0.name"),
    (tools(TOOL, TOOL), "tools.1.name"),
    *[
        (server_tool(kind), "tools.0.type")
        for kind in (
            *("web_search_20250305", "web_fetch_20250910", "code_execution_20250825"),
            *("bash_20250124", "text_editor_20250728", "computer_20250124", "memory_20250818"),
        )
    ],
    ({"tools": [{"name": f"t{n}", "input_schema": {}} for n in range(600)]}, "tools"),
    *[({"tool_choice": value}, "tool_choice") for value in ("auto", 5, {}, {"type": "required"})],
    (tools(TOOL, type="tool"), "tool_choice.name"),
    (tools(TOOL, type="tool", name="other"), "tool_choice"),
    (tools(type="any"), "tool_choice"),
    (tools(TOOL, type="any", disable_parallel_tool_use="no"), "tool_choice"),
    ({"mcp_servers": [{"type": "url", "url": "http://x.example"}]}, "mcp_servers"),
    # The rest
    *[({"stop_sequences": value}, "stop_sequences") for value in ("x", 5, [""], ["x"] * 17)],
    *[({"thinking": value}, "thinking") for value in ("x", {}, {"type": "on"})],
    ({"thinking": {"type": "enabled", "budget_tokens": 0}}, "thinking.budget_tokens"),
    ({"output_config": {"effort": "most"}}, "output_config.effort"),
    ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema"),
    ({"claude": {"cwd": "/"}}, "cwd"),
    ({"claude": {"no_such_option": 1}}, "claude.no_such_option"),
    ({"claude": {"timeout": "soon"}}, "claude.timeout"),
]


def jobs_of(gateway: Gateway) -> list[Any]:
    """All jobs."""
    found: list[Any] = gateway.ask("GET", "/jobs").json()["jobs"]
    return found


def test_what_is_wrong_is_named_and_starts_nothing(gateway: Gateway) -> None:
    before = jobs_of(gateway)
    for body, param in WRONG:
        answer = create(gateway, "hello", **body)
        status, kind, message = refused(answer)
        where = f"{str(body)[:300]}: {status} {message}"
        assert (status, kind) in (
            (400, "invalid_request_error"),
            (404, "not_found_error"),
        ), where
        assert message.startswith(param), where
        assert "X-Process-ID" not in answer.headers
    assert len(WRONG) > 100
    assert jobs_of(gateway) == before


@pytest.mark.parametrize(
    ("data", "headers", "status", "kind"),
    [
        (b"", {}, 400, "invalid_request_error"),
        (b"{", {}, 400, "invalid_request_error"),
        (b"[]", {}, 400, "invalid_request_error"),
        (b'{"model": NaN}', {}, 400, "invalid_request_error"),
        (b'{"a":' * 300 + b"1" + b"}" * 300, {}, 400, "invalid_request_error"),
        (b"x=1", {"Content-Type": "text/plain"}, 415, "invalid_request_error"),
        (b"{}", {"Content-Encoding": "gzip"}, 415, "invalid_request_error"),
        (b"{}", {"Idempotency-Key": "x" * 300}, 400, "invalid_request_error"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
def test_a_body_that_is_none_is_refused(
    gateway: Gateway, path: str, data: bytes, headers: dict[str, str], status: int, kind: str
) -> None:
    headers = {"Content-Type": "application/json", **headers}
    answer = gateway.ask("POST", path, data=data, headers=headers)
    assert refused(answer)[:2] == (status, kind)


def raw(gateway: Gateway, method: str, path: str, **headers: str) -> requests.Response:
    """The response to a request without a body and with these headers alone."""
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, gateway.url + path, headers=headers, timeout=20)


def test_credentials_belong_to_the_face(gateway_with: Any) -> None:
    key = "a-key-for-tests-of-the-faces"
    gateway = gateway_with(API_KEYS=key)
    stranger = create(gateway, "hello", auth=None)
    assert refused(stranger)[:2] == (401, "authentication_error")
    wrong = create(gateway, "hello", auth=None, headers={"x-api-key": "no-such-key-at-all"})
    assert refused(wrong)[:2] == (401, "authentication_error")
    version = {"anthropic-version": "2023-06-01"}
    assert raw(gateway, "GET", "/v1/models", **{"x-api-key": key}, **version).status_code == 200
    # Only Anthropic's clients send that header.
    for path in ("/v1/models", "/v1/conversations", "/jobs"):
        assert raw(gateway, "GET", path, **{"x-api-key": key}).status_code == 401, path
    answer = raw(gateway, "GET", "/v1/models", **version)
    assert refused(answer)[:2] == (401, "authentication_error")


def test_a_path_that_is_none_has_the_shape_of_the_client(gateway: Gateway) -> None:
    version = {"anthropic-version": "2023-06-01"}
    for path in ("/v1/messages/batches", "/v1/no-such-path", "/v1/v1/messages"):
        status, kind, message = refused(raw(gateway, "GET", path, **version))
        assert (status, kind) == (404, "not_found_error"), path
    assert "base URL" in message
    answer = raw(gateway, "GET", "/v1/messages")
    assert refused(answer)[:2] == (405, "invalid_request_error")
    assert answer.headers["Allow"]
    # Without the header, it is a client of OpenAI's API.
    assert set(raw(gateway, "GET", "/v1/no-such-path").json()) == {"error"}


def test_the_models_are_in_the_format_that_the_header_asks_for(gateway: Gateway) -> None:
    version = {"anthropic-version": "2023-06-01"}
    listed = gateway.ask("GET", "/v1/models?limit=1000", headers=version).json()
    assert set(listed) == {"data", "has_more", "first_id", "last_id"}
    assert listed["first_id"] == listed["data"][0]["id"] == "claude-code"
    one = gateway.ask("GET", "/v1/models/claude-opus-5-5", headers=version).json()
    assert one in listed["data"]
    assert (one["type"], one["display_name"]) == ("model", "Claude Opus 5.5")
    assert one["created_at"].endswith("Z")
    assert gateway.ask("GET", "/v1/models").json()["object"] == "list"


def test_tokens_are_estimated(gateway: Gateway) -> None:
    path = "/v1/messages/count_tokens"

    def count(*said: str, **named: Any) -> int:
        answer = create(gateway, *said, path=path, max_tokens=..., **named)
        assert answer.status_code == 200, answer.text
        number: int = answer.json()["input_tokens"]
        return number

    few = count("hello")
    assert few < count("hello " * 100) < count("hello " * 100, system="x" * 400)
    assert count("hello", tools=[TOOL]) > few
    assert count(**blocks({"type": "image", "source": {"type": "url", "url": "x"}})) > few + 1000
