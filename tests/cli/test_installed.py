"""The CLI as it is installed now: another version, and a login that must not be disturbed."""

import json
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from app.cli import credentials
from tests.support.gateway import Gateway, eventually

START = Callable[..., Gateway]


def write_claude(path: Path, version: str, *lines: str) -> Path:
    """A CLI of this version, put in place of another one as updates do it."""
    new = path.with_suffix(".new")
    new.write_text(
        "\n".join(
            [
                "#!/bin/sh",
                f'if [ "$1" = --version ]; then echo "{version} (Claude Code)"; exit; fi',
                *lines,
                'for each; do printf "{\\"argument\\":\\"%s\\"}\\n" "${each%%=*}"; done',
                """echo '{"type":"result","is_error":false}'""",
                "",
            ]
        )
    )
    new.chmod(0o755)
    return new.rename(path)


def versions(gateway: Gateway) -> set[str]:
    """The CLI's version, from every view that reports it."""
    health = gateway.ask("GET", "/health").json()
    metrics = gateway.ask("GET", "/metrics").text
    (line,) = (line for line in metrics.splitlines() if "build_info{" in line)
    return {
        health["claude_version"],
        health["checks"]["claude"]["version"],
        gateway.ask("GET", "/stats").json()["claude_version"],
        line.partition('claude_version="')[2].partition('"')[0],
    }


def _is_now(gateway: Gateway, version: str) -> bool:
    return versions(gateway) == {f"{version} (Claude Code)"}


def test_an_update_and_a_downgrade_are_seen_without_a_restart(
    start_gateway: START, tmp_path: Path
) -> None:
    folder = tmp_path / "versions"
    folder.mkdir()
    link = tmp_path / "claude"
    link.symlink_to(write_claude(folder / "old", "2.1.197"))
    gateway = start_gateway(link)
    assert versions(gateway) == {"2.1.197 (Claude Code)"}
    for number, version in enumerate(["2.1.331", "2.1.198"]):
        # A link is changed, and then the file that it leads to.
        if number == 0:
            new = tmp_path / "new"
            new.symlink_to(write_claude(folder / "new", version))
            new.rename(link)
        else:
            write_claude(folder / "new", version)
        eventually(partial(_is_now, gateway, version))
    assert f"using {link} 2.1.331 (Claude Code) from now on" in gateway.log()


def test_workers_start_while_an_update_has_the_binary_away(
    start_gateway: START, tmp_path: Path
) -> None:
    claude = write_claude(tmp_path / "claude", "2.1.330")
    gateway = start_gateway(claude)
    away = claude.rename(tmp_path / "away")
    gateway.kill_workers()
    assert gateway.ask("GET", "/health").status_code == 503
    away.rename(claude)
    eventually(lambda: gateway.ask("GET", "/health").status_code == 200)


# --- The login ---

ASKED = 'if [ "$1" = auth ]; then echo x >>{asked}; {{ {then}; }}; exit; fi'


def write_token(home: Path, minutes: float, **more: object) -> Path:
    """The CLI's file of credentials, with a token that ends in so many minutes."""
    path = home / ".claude/.credentials.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    oauth = {"accessToken": "dummy", "expiresAt": int((time.time() + minutes * 60) * 1000), **more}
    path.write_text(json.dumps({"claudeAiOauth": oauth}))
    return path


def logged_in(gateway: Gateway) -> object:
    return gateway.ask("GET", "/health").json()["logged_in"]


@pytest.mark.parametrize(
    ("minutes", "refresh", "known"),
    [(9, "", True), (4, "r", True), (-5, "r", True), (-5, "", False)],
)
def test_a_login_whose_token_ends_soon_is_read_from_its_file_and_not_asked_for(
    start_gateway: START, tmp_path: Path, minutes: float, refresh: str, known: bool
) -> None:
    asked = tmp_path / "asked"
    line = ASKED.format(asked=asked, then="echo '{\"loggedIn\":true}'")
    claude = write_claude(tmp_path / "claude", "2.1.330", line)
    write_token(tmp_path / "home", minutes, refreshToken=refresh)
    gateway = start_gateway(claude)
    eventually(lambda: logged_in(gateway) is known)
    assert not asked.exists()


def test_a_login_whose_token_lasts_is_asked_for(start_gateway: START, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    line = ASKED.format(asked=asked, then="echo '{\"loggedIn\":false}'")
    claude = write_claude(tmp_path / "claude", "2.1.330", line)
    write_token(tmp_path / "home", 30)
    gateway = start_gateway(claude)
    eventually(lambda: logged_in(gateway) is False)
    assert asked.read_text() == "x\n"


def test_a_cli_that_is_slow_to_answer_is_left_alone_and_asked_by_one_worker(
    start_gateway: START, tmp_path: Path
) -> None:
    """It may be in the middle of a refresh, whose new token it alone has."""
    asked, flag = tmp_path / "asked", tmp_path / "flag"
    then = f"until [ -e {flag} ]; do sleep 0.05; done; echo '{{\"loggedIn\":true}}'"
    claude = write_claude(tmp_path / "claude", "2.1.330", ASKED.format(asked=asked, then=then))
    gateway = start_gateway(claude)
    eventually(asked.exists)
    # The worker that has asked, too, is gone, and those that come find that it is asked already.
    gateway.kill_workers()
    for _ in range(20):
        assert logged_in(gateway) is None
    assert asked.read_text() == "x\n"
    flag.touch()
    eventually(lambda: logged_in(gateway) is True)


ANYTHING = {
    "no file": lambda path: None,
    "empty": lambda path: path.write_bytes(b""),
    "not JSON": lambda path: path.write_bytes(b"{"),
    "deep": lambda path: path.write_bytes(b"[" * 100_000),
    "a list": lambda path: path.write_bytes(b"[]"),
    "no object": lambda path: path.write_bytes(b'{"claudeAiOauth": 1}'),
    "no number": lambda path: path.write_bytes(b'{"claudeAiOauth": {"expiresAt": "1"}}'),
    "no moment": lambda path: path.write_bytes(b'{"claudeAiOauth": {"expiresAt": NaN}}'),
    "huge": lambda path: path.write_bytes(b'{"claudeAiOauth": {"expiresAt": 1e999}}'),
    "not UTF-8": lambda path: path.write_bytes(b"\xff"),
    "a folder": lambda path: path.mkdir(),
    "a pipe": lambda path: os.mkfifo(path),
    "nowhere": lambda path: path.symlink_to("nowhere"),
    "large": lambda path: os.truncate(_touched(path), 1 << 40),
}


def _touched(path: Path) -> Path:
    path.touch()
    return path


@pytest.mark.parametrize("kind", ANYTHING)
def test_a_file_of_credentials_may_be_anything(kind: str, tmp_path: Path) -> None:
    (tmp_path / ".claude").mkdir()
    ANYTHING[kind](tmp_path / ".claude/.credentials.json")
    assert credentials.logged_in({"HOME": str(tmp_path)}) is None


def test_the_file_of_credentials_is_where_the_cli_has_it(tmp_path: Path) -> None:
    write_token(tmp_path, -1)
    assert credentials.logged_in({"HOME": str(tmp_path)}) is False
    assert credentials.logged_in({"HOME": str(tmp_path), "ANTHROPIC_API_KEY": "x"}) is True
    elsewhere = {"HOME": "/", "CLAUDE_CONFIG_DIR": str(tmp_path / ".claude")}
    assert credentials.logged_in(elsewhere) is False
    assert credentials.logged_in({}) is None


def test_a_login_file_of_ours_may_be_anything(start_gateway: START) -> None:
    gateway = start_gateway(WORKERS="1")
    eventually(lambda: logged_in(gateway) is True)
    path = gateway.state / "login.json"
    for content in (b"", b"\0" * 100, b"{", b"[1]"):
        path.write_bytes(content)
        assert logged_in(gateway) is None
    path.unlink()
    path.mkdir()
    assert logged_in(gateway) is None
    path.rmdir()


def test_a_gateway_that_starts_anew_forgets_the_last_answer(
    start_gateway: START, tmp_path: Path
) -> None:
    answer = tmp_path / "answer"
    answer.write_text("true")
    line = ASKED.format(asked=tmp_path / "asked", then=f'echo "{{\\"loggedIn\\":$(cat {answer})}}"')
    claude = write_claude(tmp_path / "claude", "2.1.330", line)
    gateway = start_gateway(claude)
    eventually(lambda: logged_in(gateway) is True)
    answer.write_text("false")
    assert gateway.stop() == 0
    gateway.start()
    assert logged_in(gateway) is not True
    eventually(lambda: logged_in(gateway) is False)
