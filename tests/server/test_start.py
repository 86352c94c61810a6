"""The start of the gateway, and what it refuses to start with."""

import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.gateway import EX_CONFIG, ROOT, Gateway, eventually, free_port


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"AUTH_PASSWORD": ""}, "cannot use AUTH_PASSWORD: it is not set"),
        ({"AUTH_PASSWORD": ""}, "; claudecode2api password writes a new one (in a checkout: "),
        ({"AUTH_PASSWORD": ""}, "or set AUTH_PASSWORD_FILE to a file that has it"),
        ({"AUTH_PASSWORD": "changeme"}, "cannot use AUTH_PASSWORD: it is still the placeholder"),
        ({"AUTH_PASSWORD": "your-secure-password"}, "cannot use AUTH_PASSWORD"),
        ({"PORT": "http"}, "cannot use PORT: 'http' is not a whole number"),
        ({"CLAUDE_PATH": "/nowhere/claude"}, "CLAUDE_PATH (/nowhere/claude: no such file)"),
        ({"STATE_DIR": "/proc/nothing"}, "cannot use STATE_DIR"),
        ({"HOST": "*"}, "cannot use HOST: '*' is not an address; write 0.0.0.0"),
        ({"HOST": "no such host"}, "cannot use HOST: 'no such host' is not an address"),
        ({"HOST": "é" * 70}, "is not an address"),
        ({"HOST": "http://127.0.0.1"}, "cannot use HOST: 'http://127.0.0.1' is not an address"),
        (
            {"HOST": "192.0.2.1"},
            "cannot use HOST: 192.0.2.1 is not an address of this machine; use",
        ),
    ],
)
def test_it_refuses_to_start_with_one_plain_line(
    tmp_path: Path, fake_claude: Path, settings: dict[str, str], complaint: str
) -> None:
    gateway = Gateway(tmp_path, fake_claude, **settings)
    assert gateway.launch().wait(20) == EX_CONFIG
    (line,) = gateway.log().splitlines()
    assert complaint in line


def test_a_port_in_use_ends_the_start_with_one_line_that_says_what_helps(
    tmp_path: Path, fake_claude: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        gateway = Gateway(tmp_path, fake_claude, PORT=str(port))
        assert gateway.launch().wait(20) == EX_CONFIG
    (line,) = gateway.log().splitlines()
    assert line.startswith(f"cannot listen on 127.0.0.1, port {port}: the port is in use; stop")
    assert "set another PORT" in line


def test_a_port_in_use_is_waited_for_if_it_comes_free(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway()
    with socket.create_server(("127.0.0.1", free_port())) as other:
        gateway.stop()
        gateway.environment["PORT"] = str(other.getsockname()[1])
        gateway.process = gateway.launch()
        # Its first answer comes from the CLI, after which it looks at the port.
        time.sleep(1)
        assert gateway.process.poll() is None
    gateway.url = f"http://127.0.0.1:{gateway.environment['PORT']}"
    eventually(gateway._answers, gateway.log)


def test_an_address_in_brackets_is_what_it_is_in_a_url(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway()
    gateway.stop()
    gateway.environment["HOST"] = "[::1]"
    gateway.url = f"http://[::1]:{gateway.port}"
    gateway.start()
    assert gateway.chat("result ok").done()["status"] == "succeeded"


def test_without_a_claude_it_says_where_it_looked(tmp_path: Path, fake_claude: Path) -> None:
    gateway = Gateway(tmp_path, fake_claude, CLAUDE_PATH="", PATH=str(tmp_path))
    # A checkout in which the tests have made no venv-claude/.
    gateway.code = tmp_path / "checkout"
    gateway.code.mkdir()
    for name in ("app", "gunicorn.conf.py"):
        (gateway.code / name).symlink_to(ROOT / name)
    assert gateway.launch().wait(20) == EX_CONFIG
    (line,) = gateway.log().splitlines()
    for place in (
        "PATH",
        "~/.local/bin",
        "~/.claude/local",
        "npm",
        "claude-agent-sdk",
        "venv-claude",
    ):
        assert place in line


def test_settings_come_from_env_too_and_the_rest_of_it_goes_to_the_cli(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text(
        "DEFAULT_MODEL=from-file\nKILL_GRACE=1\nANTHROPIC_API_KEY='dummy $HOME #'\n",
        encoding="utf-8",
    )
    gateway = start_gateway()
    (line, *_) = gateway.chat("arguments", "environment").messages()
    assert "--model=from-file" in json.loads(line)["argv"]
    (_, line) = gateway.chat("arguments", "environment").messages()
    assert json.loads(line)["ANTHROPIC_API_KEY"] == "dummy $HOME #"


@pytest.mark.parametrize("name", ["ä ö 日本"])
@pytest.mark.parametrize("locale", [{"LC_ALL": "C", "PYTHONUTF8": "0"}, {"LC_ALL": "POSIX"}])
def test_a_folder_may_have_any_name_whatever_the_locale_is(
    start_gateway: Callable[..., Gateway], name: str, locale: dict[str, str]
) -> None:
    gateway = start_gateway(**locale)
    folder = gateway.folder / name
    folder.mkdir()
    stream = gateway.chat("shell pwd", "environment", cwd=str(folder))
    found, _, environment = stream.messages()
    assert found == os.fsencode(folder)
    assert {key: json.loads(environment)[key] for key in locale} == locale
    for wrong in ("\ud800", f"{folder}/\udcff\udcff", "\0"):
        assert gateway.post("x", cwd=f"/{wrong}").status_code in (400, 422)


def test_what_makes_jobs_fail_or_differ_is_logged_at_the_start(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway(CLAUDE_EFFORT="high", CLAUDE_CODE_MAX_RETRIES="1", AI_AGENT="x")
    (line,) = (
        line for line in gateway.log().splitlines() if "jobs do not get these variables" in line
    )
    assert line.endswith(": AI_AGENT, CLAUDE_EFFORT")
    is_root = os.geteuid() == 0
    assert ("runs as root: the CLI refuses to skip its permissions" in gateway.log()) is is_root
    environment = json.loads(gateway.chat("environment").messages()[0])
    assert environment["CLAUDE_CODE_MAX_RETRIES"] == "1"
    assert not {"CLAUDE_EFFORT", "AI_AGENT", "CLAUDECODE2API_LISTENS"} & set(environment)


def test_a_second_gateway_on_the_same_state_is_refused(
    start_gateway: Callable[..., Gateway], fake_claude: Path, tmp_path: Path
) -> None:
    gateway = start_gateway()
    second = Gateway(tmp_path / "second", fake_claude, STATE_DIR=str(gateway.state))
    assert second.launch().wait(20) == EX_CONFIG
    assert "another gateway uses" in second.log()
    assert gateway.chat("result ok").done()["status"] == "succeeded"
