"""The tokens of an account: only where the operator allows them, and refreshed by the CLI alone."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.anthropic_messages import refused
from tests.support.direct_api import Server
from tests.support.direct_client import ask
from tests.support.gateway import Gateway, eventually, write_fake

EXPLICIT = "sk-ant-oat01-explicit"
# What the CLI does as long as its standard input is open: it puts the file `new` in the place of
# the credentials, if there is one.
_REFRESHES = """\
case " $* " in *" --print --verbose --input-format=stream-json "*"--tools= ")
    echo started >>"$HOME/refreshes"
    [ ! -e "$HOME/exits" ] || exit 1
    while ! [ -e "$HOME/new" ]; do sleep 0.05; done
    mv "$HOME/new" "$HOME/.claude/.credentials.json"
    cat >/dev/null
    echo ended >>"$HOME/refreshes"
    exit ;;
esac
"""


class Account:
    """A gateway without a key whose CLI has a login, and that may use it."""

    def __init__(self, gateway: Gateway, upstream: Server) -> None:
        self.gateway = gateway
        self._upstream = upstream
        self._file = gateway.home / ".claude/.credentials.json"

    def log_in(self, token: str, seconds: float, path: Path | None = None) -> None:
        """Write a login that expires after so many seconds, into the CLI's file by default."""
        self._file.parent.mkdir(exist_ok=True)
        expires_at = int((time.time() + seconds) * 1000)
        login = {"accessToken": token, "refreshToken": "r", "expiresAt": expires_at}
        temporary = self.gateway.home / "written"
        temporary.write_text(json.dumps({"claudeAiOauth": login}), encoding="ascii")
        temporary.rename(path or self._file)

    def will_get(self, token: str) -> None:
        """The CLI gets this token when it refreshes its login."""
        self.log_in(token, 28_800, self.gateway.home / "new")

    def token(self) -> str:
        """The token that a request is sent with."""
        answer = ask(self.gateway, "say hi")
        assert answer.status_code == 200, answer.text
        headers = self._upstream.received[-1].headers
        assert "x-api-key" not in headers
        scheme, _, token = headers["authorization"].partition(" ")
        assert scheme == "Bearer" and "oauth-2025-04-20" in headers["anthropic-beta"]
        return token

    def refreshes(self) -> list[str]:
        """The beginnings and ends of the CLIs that refreshed."""
        file = self.gateway.home / "refreshes"
        return file.read_text().split() if file.exists() else []


@pytest.fixture
def account(
    upstream: Server, start_gateway: Callable[..., Gateway], tmp_path: Path
) -> Callable[..., Account]:
    """Starts such a gateway with more settings."""
    claude = write_fake(tmp_path)
    head, rest = claude.read_text(encoding="utf-8").split("\n", 1)
    claude.write_text(f"{head}\n{_REFRESHES}{rest}", encoding="utf-8")

    def start(**settings: str) -> Account:
        given = {
            "ANTHROPIC_BASE_URL": upstream.url,
            "DIRECT_MODELS": "claude-haiku-*",
            "DIRECT_SUBSCRIPTION": "true",
            "SPARES": "0",
            **settings,
        }
        return Account(start_gateway(claude, **given), upstream)

    return start


def test_tokens_are_not_used_without_the_setting(
    account: Callable[..., Account], upstream: Server
) -> None:
    found = account(DIRECT_SUBSCRIPTION="false", CLAUDE_ACCESS_TOKEN=EXPLICIT)
    found.log_in("sk-ant-oat01-of-the-file", 28_800)
    before = len(upstream.received)
    status, _, message = refused(ask(found.gateway, "say hi"))
    assert status == 424 and "ANTHROPIC_API_KEY" in message
    assert len(upstream.received) == before
    log = found.gateway.log()
    assert "CLAUDE_ACCESS_TOKEN has no effect without DIRECT_SUBSCRIPTION=true" in log
    assert "explicit" not in log


def test_a_key_comes_first_and_then_the_explicit_token(
    account: Callable[..., Account], upstream: Server
) -> None:
    found = account(CLAUDE_ACCESS_TOKEN=EXPLICIT, ANTHROPIC_API_KEY="a-dummy-key")
    found.log_in("of-the-file", 28_800)
    ask(found.gateway, "say hi")
    headers = upstream.received[-1].headers
    assert headers["x-api-key"] == "a-dummy-key" and "authorization" not in headers
    found.gateway.stop()
    del found.gateway.environment["ANTHROPIC_API_KEY"]
    found.gateway.start()
    assert found.token() == EXPLICIT
    # The gateway does not pose as another client.
    sent = upstream.received[-1]
    assert sent.headers["user-agent"].startswith("claudecode2api/")
    assert "system" not in json.loads(sent.body)


def test_the_file_is_read_for_each_request(account: Callable[..., Account]) -> None:
    found = account()
    status, _, message = refused(ask(found.gateway, "say hi"))
    assert status == 424 and "not logged in" in message
    for token in ("one", "two"):
        found.log_in(token, 28_800)
        assert found.token() == token
    assert found.refreshes() == []


def test_a_token_that_expires_soon_is_refreshed_by_one_cli(
    account: Callable[..., Account],
) -> None:
    found = account()
    found.log_in("old", 200)
    # While the CLI is at it, the old one is used, at all workers.
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: ask(found.gateway, "say hi").status_code, range(16)))
    assert statuses == [200] * 16
    # `claude auth status` may have the lock at first: the gateway was asked for its health.
    eventually(lambda: ask(found.gateway, "say hi").ok and found.refreshes())
    assert found.refreshes() == ["started"]
    found.will_get("new")
    # Its standard input was open until the file had changed.
    eventually(lambda: found.refreshes() == ["started", "ended"])
    assert found.token() == "new"
    assert found.refreshes() == ["started", "ended"]


def test_a_request_waits_for_the_refresh_of_an_expired_token(
    account: Callable[..., Account],
) -> None:
    found = account()
    found.log_in("old", -5)
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(ask, found.gateway, "say hi") for _ in range(4)]
        eventually(found.refreshes)
        found.will_get("new")
        assert [each.result().status_code for each in waiting] == [200] * 4
    assert found.token() == "new"
    assert found.refreshes().count("started") == 1


def test_a_login_that_cannot_be_refreshed_is_reported(account: Callable[..., Account]) -> None:
    found = account()
    (found.gateway.home / "exits").touch()
    found.log_in("old", -5)
    status, _, message = refused(ask(found.gateway, "say hi"))
    assert status == 424 and "has expired" in message
    assert "has not refreshed its login" in found.gateway.log()


def test_the_servers_refusal_is_passed_on(account: Callable[..., Account]) -> None:
    found = account()
    found.log_in("one", 28_800)
    words = "Third-party apps now draw from your extra usage, not your plan limits."
    answer = ask(found.gateway, f"fail 400 invalid_request_error - {words}")
    assert refused(answer) == (400, "invalid_request_error", words)
