"""`claudecode2api reload`: it returns when new workers serve, or says why they do not."""

import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from app.server.reload_record import reload_since, write_refusal, write_reload
from tests.support.gateway import Gateway, eventually
from tests.support.tool import Tool, serving, tool_of


def status_with(tool: Tool, password: str) -> int:
    """The status of a request with this password, on a connection of its own."""
    port = next(line for line in tool.env_file.read_text().split("\n") if line.startswith("PORT="))
    url = f"http://127.0.0.1:{port.split('=')[1].strip(chr(39))}/processes"
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url, auth=("admin", password), timeout=20).status_code


def test_when_it_returns_every_request_gets_the_new_settings(
    tmp_path: Path, fake_claude: Path
) -> None:
    tool = Tool(tmp_path / "checkout", tmp_path)
    with serving(tool, fake_claude):
        for old, new in (("old", "the-second"), ("the-second", "the-third")):
            text = tool.env_file.read_text(encoding="utf-8")
            tool.env_file.write_text(text.replace(f"'{old}'", f"'{new}'"), encoding="utf-8")
            done = tool.run("reload")
            assert (done.returncode, done.stdout) == (0, b""), done.stderr
            assert done.stderr == b"the gateway serves with the new settings and code\n"
            with ThreadPoolExecutor(8) as pool:
                passwords = [new] * 16 + [old]
                statuses = list(pool.map(lambda word: status_with(tool, word), passwords))
            assert statuses == [200] * 16 + [401]


def test_a_reload_that_is_refused_says_why_and_changes_nothing(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    gateway = start_gateway()
    tool = tool_of(gateway, tmp_path / "checkout")
    workers = gateway.workers()
    # The gateway reads the .env of its own folder.
    (gateway.folder / ".env").write_text("HEARTBEAT=never\n", encoding="utf-8")
    done = tool.run("reload")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(
        b"the reload is refused, and the gateway goes on as before: cannot use HEARTBEAT: "
    )
    assert gateway.workers() == workers
    (gateway.folder / ".env").unlink()
    assert tool.run("reload").returncode == 0
    assert not {*workers} & {*gateway.workers()}


def test_another_address_is_awaited_too(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    gateway = start_gateway()
    del gateway.environment["PORT"]
    gateway.stop()
    settings = gateway.folder / ".env"
    settings.write_text(f"PORT={gateway.port}\n", encoding="utf-8")
    gateway.start()
    tool = tool_of(gateway, tmp_path / "checkout")
    settings.write_text(f"PORT={gateway.port}\nHOST=::1\n", encoding="utf-8")
    del gateway.environment["HOST"]
    assert tool.run("reload").returncode == 0


def test_without_a_gateway_it_says_so(tmp_path: Path) -> None:
    tool = Tool(tmp_path / "checkout", tmp_path).configure(STATE_DIR=str(tmp_path / "state"))
    done = tool.run("reload")
    assert (done.returncode, done.stdout) == (69, b"")
    assert f"no gateway runs with STATE_DIR {tmp_path / 'state'}; " in done.stderr.decode()
    tool.env_file.write_text("AUTH_PASSWORD='open\n", encoding="utf-8")
    assert (tool.run("reload").returncode, tool.run("reload").stdout) == (78, b"")


def test_a_gateway_that_ends_meanwhile_is_reported(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    gateway = start_gateway()
    assert gateway.process is not None
    # It does not act on the signal while it is stopped.
    gateway.process.send_signal(signal.SIGSTOP)
    tool = tool_of(gateway, tmp_path / "checkout")
    with tool.start("reload") as reload:
        status = Path(f"/proc/{gateway.process.pid}/status")
        hangup = 1 << (signal.SIGHUP - 1)
        eventually(
            lambda: int(status.read_text().partition("\nShdPnd:")[2].split()[0], 16) & hangup
        )
        gateway.kill()
        _, stderr = reload.communicate(timeout=20)
    assert reload.returncode == 69
    assert stderr.startswith(b"the gateway has ended during the reload")


def test_only_a_reload_after_the_request_counts(tmp_path: Path) -> None:
    state = str(tmp_path)
    assert reload_since(state, 0.0) is None
    write_refusal(state, 5.0, "no")
    assert reload_since(state, 5.5) is None
    refused = reload_since(state, 4.5)
    assert refused is not None and refused.error == "no"
    # Of the time before a boot.
    write_refusal(state, 1e12, "no")
    assert reload_since(state, 4.5) is None
    write_reload(state, 6.0, "::1", 9876, [os.getpid(), 1 << 30])
    done = reload_since(state, 5.5)
    assert done is not None
    assert (done.error, done.host, done.port, done.workers_left()) == (None, "::1", 9876, True)
    (tmp_path / "reload.json").write_text('{"began": 6, "error": null, "host": "", "port": 1}')
    assert reload_since(state, 5.5) is None
