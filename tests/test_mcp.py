"""The MCP servers of every job: checked at the start, and called by the real CLI."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.mcp import servers_in
from tests.support import model_api
from tests.support.gateway import ROOT, Gateway, running_gateway
from tests.support.real_cli import fields_of, without_network

SERVER = {
    "command": sys.executable,
    "args": ["-I", "-S", str(ROOT / "tests/support/mcp_server.py")],
}
CALL = 'call: mcp__sums__add {"a": 40, "b": 2}'


def write(folder: Path, name: str = "sums") -> Path:
    """A file with one server."""
    file = folder / "mcp.json"
    file.write_text(json.dumps({"mcpServers": {name: SERVER}}), encoding="utf-8")
    return file


def test_the_servers_of_a_file_are_named(tmp_path: Path) -> None:
    assert servers_in(write(tmp_path)) == ("sums",)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "cannot be read: No such file"),
        ("{", "is not JSON"),
        ("[]", 'has no object "mcpServers"'),
        ('{"mcpServers": []}', 'has no object "mcpServers"'),
        ('{"mcpServers": {"x": {}}}', "neither a command nor a url for server 'x'"),
    ],
)
def test_a_file_that_is_not_usable_is_refused(
    tmp_path: Path, content: str | None, why: str
) -> None:
    file = tmp_path / "mcp.json"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=why):
        servers_in(file)


def test_a_gateway_does_not_start_with_such_a_file(tmp_path: Path, fake_claude: Path) -> None:
    gateway = Gateway(tmp_path, fake_claude, MCP_CONFIG=str(tmp_path / "none.json"))
    assert gateway.launch().wait(20) == 78
    assert "cannot use MCP_CONFIG" in gateway.log()


@pytest.fixture(scope="module")
def with_servers(
    claude: Path,
    model: model_api.Server,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Gateway]:
    """A gateway whose jobs have the server `sums`."""
    folder = tmp_path_factory.mktemp("mcp")
    settings = {
        **without_network(model),
        "ANTHROPIC_API_KEY": "dummy",
        "API_KEYS": "a-key-for-this-test",
    }
    config = str(write(folder))
    with running_gateway(folder / "gateway", claude, **settings, MCP_CONFIG=config) as gateway:
        yield gateway


@pytest.mark.real
@pytest.mark.timeout(120)
def test_every_job_can_call_the_servers(with_servers: Gateway) -> None:
    (result,) = fields_of(with_servers.chat(CALL).messages(), "result")
    assert "the sum is 42" in result["result"]


@pytest.mark.real
@pytest.mark.timeout(120)
def test_a_request_adds_its_own(with_servers: Gateway) -> None:
    own = json.dumps({"mcpServers": {"own": SERVER}})
    messages = with_servers.chat(CALL.replace("sums", "own"), mcp_config=[own]).messages()
    assert "the sum is 42" in fields_of(messages, "result")[0]["result"]
    init = fields_of(messages, "system")[0]
    assert {server["name"] for server in init["mcp_servers"]} == {"sums", "own"}


@pytest.mark.real
@pytest.mark.timeout(120)
@pytest.mark.parametrize("allowed", [True, False])
def test_single_tools_are_opened(with_servers: Gateway, allowed: bool) -> None:
    options = {"permission_mode": "dontAsk", "events": True}
    options["mcp-allowed-tools"] = ["mcp__sums__add"] if allowed else ["mcp__sums__other"]
    body = {"messages": [{"role": "user", "content": CALL}], "claude": options}
    answer = with_servers.ask("POST", "/v1/chat/completions", json=body)
    message = answer.json()["choices"][0]["message"]
    assert ("the sum is 42" in message["content"]) is allowed
    (result,) = (line for line in message["claude"] if line["type"] == "result")
    assert bool(result["permission_denials"]) is not allowed
