"""`GET /health` and `GET /ready`: whether jobs can run, answered without a wait."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from app.jobs.health import HealthChecks
from app.jobs.service import JobService
from app.jobs.store import Spool
from app.version import VERSION
from tests.support.gateway import Gateway, eventually, write_fake
from tests.support.pages import page


def answers(gateway: Gateway, path: str) -> int:
    return gateway.ask("GET", path, auth=None).status_code


def test_a_healthy_gateway_reports_so_to_every_client(gateway: Gateway) -> None:
    eventually(lambda: gateway.ask("GET", "/health", auth=None).json()["logged_in"] is True)
    answer = gateway.ask("GET", "/health", auth=None)
    assert answer.status_code == 200
    body = answer.json()
    path = gateway.environment["CLAUDE_PATH"]
    version = "9.9.9 (Fake Code)"
    state = body["checks"].pop("state")
    # tests/cli/test_capabilities.py has what they are.
    body.pop("capabilities")
    # Below is what monitors of another gateway read.
    for name in ("claudeCli", "workspace", "mcpConfig"):
        body["checks"].pop(name)
    body.pop("timestamp"), body.pop("uptime")
    assert body == {
        "status": "ok",
        "claude_path": path,
        "claude_version": version,
        "logged_in": True,
        "version": VERSION,
        "checks": {
            "claude": {"ok": True, "path": path, "version": version, "logged_in": True},
            "launcher": {"ok": True},
        },
    }
    assert state["ok"] is state["writable"] is True
    assert state["free_bytes"] > state["needed_bytes"] == 268435456
    ready = gateway.ask("GET", "/ready", auth=None)
    assert (ready.status_code, ready.json()) == (200, {"status": "ok"})


def test_a_monitor_of_claude_code_server_finds_its_fields(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    workspaces = tmp_path / "workspaces"
    gateway = start_gateway(WORKSPACES=str(workspaces))
    body = gateway.ask("GET", "/health", auth=None).json()
    assert body["uptime"] > 0 and re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", body["timestamp"])
    details = {}
    for name in ("claudeCli", "workspace", "mcpConfig"):
        check = body["checks"][name]
        assert set(check) == {"status", "message", "details", "timestamp", "ok"}
        assert check["status"] == "healthy"
        details[name] = check["details"]
    assert details == {
        "claudeCli": {"version": "9.9.9 (Fake Code)", "exitCode": 0},
        "workspace": {"path": str(workspaces), "readable": True, "writable": True},
        "mcpConfig": {"enabled": False, "configPath": None},
    }
    workspaces.write_text("no folder")
    workspaces.chmod(0o400)
    found = gateway.ask("GET", "/health", auth=None).json()["checks"]["workspace"]
    # Root may write everywhere, but not into a file.
    assert found["status"] == "unhealthy"


def test_with_too_little_of_the_disk_left_no_job_can_run(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway(MIN_FREE_DISK=str(1 << 50))
    for path in ("/health", "/ready"):
        answer = gateway.ask("GET", path, auth=None)
        body = answer.json()
        assert (answer.status_code, body["status"]) == (503, "unavailable")
        assert (body["detail"], body["code"]) == ("Jobs cannot run: state", "unavailable")
        assert body["request_id"] == answer.headers["X-Request-ID"]
    assert gateway.ask("GET", "/health").json()["checks"]["state"]["ok"] is False
    # Who looks at it from outside restarts nothing for it.
    assert answers(gateway, "/") == 200


def test_a_cli_that_went_away_is_reported_and_one_that_comes_back_too(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    folder = tmp_path / "cli"
    folder.mkdir()
    claude = write_fake(folder)
    gateway = start_gateway(claude)
    assert (answers(gateway, "/health"), answers(gateway, "/ready")) == (200, 200)
    claude.rename(folder / "away")
    body = gateway.ask("GET", "/health").json()
    assert body["status"] == "unavailable"
    failed = [name for name, check in body["checks"].items() if not check["ok"]]
    assert failed == ["claude", "claudeCli"]
    assert answers(gateway, "/ready") == 503
    (folder / "away").rename(claude)
    assert (answers(gateway, "/health"), answers(gateway, "/ready")) == (200, 200)


@pytest.mark.parametrize("name", ["jobs", "runs", "live", "unlogged"])
def test_a_part_of_the_state_folder_that_went_away_is_reported(name: str, tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.prepare()
    jobs = cast(JobService, SimpleNamespace(has_launcher=lambda: True))
    checks = HealthChecks(spool, jobs, "/bin/true", 0, None)
    assert checks.results()["state"].ok
    (tmp_path / name).rmdir()
    state = checks.results()["state"]
    assert (state.ok, state.details["writable"]) == (False, False)
    spool.prepare()
    assert checks.results()["state"].ok


def test_a_state_folder_that_cannot_be_written_to_is_reported(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway()
    jobs = str(gateway.state / "jobs")
    # Root may write to everything but this.
    if subprocess.run(["mount", "--bind", jobs, jobs], check=False).returncode != 0:
        pytest.skip("no process may mount on this machine")
    try:
        assert answers(gateway, "/health") == 200
        subprocess.run(["mount", "-o", "remount,bind,ro", jobs], check=True)
        assert answers(gateway, "/health") == answers(gateway, "/ready") == 503
    finally:
        subprocess.run(["umount", "-l", jobs], check=True)
    assert answers(gateway, "/health") == 200


@contextlib.contextmanager
def next_lock_of(path: Path) -> Iterator[None]:
    """Another process takes the lock of this file as soon as its present holder has ended."""
    program = "import fcntl, sys; lock = open(sys.argv[1], 'r+'); print('waits', flush=True)\n"
    program += "fcntl.lockf(lock, fcntl.LOCK_EX); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-I", "-c", program, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={},
    ) as holder:
        assert holder.stdout is not None and holder.stdin is not None
        assert holder.stdout.readline() == b"waits\n"
        # The kernel lists who waits behind an arrow (proc(5), /proc/locks).
        waits = re.compile(rf"-> POSIX .* {holder.pid} ")
        eventually(lambda: waits.search(Path("/proc/locks").read_text()))
        try:
            yield
        finally:
            holder.stdin.close()


def test_a_launcher_that_cannot_start_is_reported_and_one_that_dies_is_no_alarm(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway(WORKERS="1")
    gateway.chat("result ok").done()
    first = gateway.launcher()
    os.kill(first, signal.SIGKILL)
    assert answers(gateway, "/health") == 200
    eventually(lambda: gateway.launcher() not in (0, first))
    gateway.chat("result ok").done()
    with next_lock_of(gateway.state / "launcher.lock"):
        os.kill(gateway.launcher(), signal.SIGKILL)
        eventually(lambda: answers(gateway, "/ready") == 503, patience=50)
        assert gateway.ask("GET", "/health").json()["checks"]["launcher"] == {"ok": False}
    eventually(lambda: answers(gateway, "/ready") == 200, patience=50)


def test_neither_waits_or_starts_a_process(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    """`claude auth status` takes its time; it is run once a minute."""
    asked = tmp_path / "asked"
    claude = tmp_path / "claude"
    claude.write_text(
        "#!/bin/sh\n"
        'if [ "$1" = --version ]; then echo 1.0; exit; fi\n'
        f'if [ "$1" = auth ]; then echo x >> {asked}; fi\n'
        "exec sleep 5\n",
        encoding="utf-8",
    )
    claude.chmod(0o755)
    gateway = start_gateway(claude)
    for _ in range(100):
        begun = time.monotonic()
        assert gateway.ask("GET", "/health", auth=None).json()["logged_in"] is None
        assert answers(gateway, "/ready") == 200
        # Who waited for a process would have to wait for 5 s.
        assert time.monotonic() - begun < 4.5
    assert asked.read_text().count("x") == 1


def test_the_api_page_shows_what_health_answers(gateway: Gateway) -> None:
    section = page("docs/api.md").section("`GET /health`")
    body = gateway.ask("GET", "/health").json()
    for name in (*body, *body["checks"], *body["checks"]["state"]):
        assert f'"{name}"' in section


def test_the_file_with_mcp_servers_is_looked_at(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    config = tmp_path / "mcp.json"
    config.write_text('{"mcpServers": {"one": {"command": "true"}}}', encoding="utf-8")
    gateway = start_gateway(MCP_CONFIG=str(config))
    well = gateway.ask("GET", "/health", auth=None)
    assert well.status_code == 200
    assert well.json()["checks"]["mcp"] == {"ok": True, "servers": ["one"]}
    config.write_text("{", encoding="utf-8")
    unwell = gateway.ask("GET", "/health", auth=None)
    assert unwell.status_code == 503
    assert "is not JSON" in unwell.json()["checks"]["mcp"]["error"]


def test_root_and_health(gateway: Gateway) -> None:
    assert gateway.ask("GET", "/", auth=None).json() == {
        "message": "Claude Code API Gateway",
        "docs": "/docs",
        "health": "/health",
    }
    health = gateway.ask("GET", "/health", auth=None).json()
    assert health["status"] == "ok"
    assert health["claude_version"] == "9.9.9 (Fake Code)"
    assert Path(health["claude_path"]).name == "claude"


def test_a_cli_that_reports_its_login_at_once_is_read(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    claude = tmp_path / "quick"
    claude.write_text(
        "#!/bin/sh\ncase $1 in --version) echo 1.0 ;; *) echo '{\"loggedIn\": false}' ;; esac\n",
        encoding="utf-8",
    )
    claude.chmod(0o755)
    gateway = start_gateway(claude=claude)
    # Asked without a request, each of which would wake the worker.
    eventually(lambda: (gateway.state / "login.json").exists())
    assert gateway.ask("GET", "/health", auth=None).json()["logged_in"] is False


def test_a_login_is_noticed_before_the_answer_of_the_cli_is_old(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    claude, answer = tmp_path / "claude", tmp_path / "answer"
    answer.write_text('{"loggedIn": false}')
    claude.write_text(f"#!/bin/sh\n[ $1 = --version ] && echo 1.0 || cat {answer}\n")
    claude.chmod(0o755)
    gateway = start_gateway(claude=claude)

    def logged_in() -> object:
        return gateway.ask("GET", "/health", auth=None).json()["logged_in"]

    eventually(lambda: logged_in() is False)
    answer.write_text('{"loggedIn": true}')
    assert logged_in() is False
    (gateway.home / ".claude").mkdir()
    (gateway.home / ".claude/.credentials.json").write_text("{}")
    assert logged_in() is not False
    eventually(lambda: logged_in() is True)


def test_health_reports_whether_the_cli_is_logged_in(gateway: Gateway) -> None:
    eventually(lambda: gateway.ask("GET", "/health", auth=None).json()["logged_in"] is True)
