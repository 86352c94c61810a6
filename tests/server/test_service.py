"""Starting, refusing to start, stopping, health, and what must not be seen anywhere."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from app.runs.launcher.pool import JOBS_EACH
from tests.support.gateway import (
    PASSWORD,
    ROOT,
    Gateway,
    Stream,
    alive,
    eventually,
    free_port,
    marked_in,
)

EX_CONFIG = 78


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"AUTH_PASSWORD": ""}, "cannot use AUTH_PASSWORD: it is not set"),
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
    tmp_path: Path, fake_claude: Path, settings: dict[str, str], said: str
) -> None:
    gateway = Gateway(tmp_path, fake_claude, **settings)
    assert gateway.launch().wait(20) == EX_CONFIG
    (line,) = gateway.log().splitlines()
    assert said in line


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
    (line,) = (line for line in gateway.log().splitlines() if "withheld from jobs" in line)
    assert line.endswith(": AI_AGENT, CLAUDE_EFFORT")
    is_root = os.geteuid() == 0
    assert ("this is root: the CLI refuses to skip its permissions" in gateway.log()) is is_root
    environment = json.loads(gateway.chat("environment").messages()[0])
    assert environment["CLAUDE_CODE_MAX_RETRIES"] == "1"
    assert not {"CLAUDE_EFFORT", "AI_AGENT", "CLAUDECODE2API_LISTENS"} & set(environment)


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


def test_a_cli_that_tells_its_login_in_no_time_is_heard(
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


def test_health_tells_whether_the_cli_is_logged_in(gateway: Gateway) -> None:
    eventually(lambda: gateway.ask("GET", "/health", auth=None).json()["logged_in"] is True)


def test_the_job_sees_nothing_of_the_gateways(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(
        API_KEYS="key-that-is-secret", NOTIFY_SOCKET="/run/x", STATE_DIRECTORY="/var/lib/x"
    )
    (line,) = gateway.chat("environment").messages()
    environment = json.loads(line)
    assert environment["HOME"] == str(gateway.home)
    assert "CLAUDECODE2API_JOB" in environment
    for name in ("AUTH_PASSWORD", "API_KEYS", "STATE_DIR", "NOTIFY_SOCKET", "STATE_DIRECTORY"):
        assert name not in environment
    for secret in (PASSWORD, "key-that-is-secret"):
        assert secret not in line.decode()


def test_no_log_no_command_line_and_no_error_shows_a_prompt_or_a_secret(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway(API_KEYS="SECRET-key-of-a-client")
    stream = gateway.chat(
        "silent",
        "SECRET-prompt",
        system_prompt="SECRET-system",
        append_system_prompt="SECRET-append",
        settings='{"env":{"TOKEN":"SECRET-settings"}}',
        mcp_config=['{"mcpServers":{"x":{"env":{"TOKEN":"SECRET-mcp"}}}}'],
        agents={"helper": {"description": "d", "prompt": "SECRET-agent"}},
    )
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            # It may end while we look.
            with contextlib.suppress(OSError):
                assert b"SECRET" not in (entry / "cmdline").read_bytes()
    stream.close()
    headers = {"Authorization": "Bearer SECRET-wrong", "X-Request-ID": "SECRET x"}
    errors = [
        gateway.ask("GET", "/processes", auth=None, headers=headers),
        gateway.post("SECRET-prompt", cwd="/nowhere"),
        gateway.post("SECRET-prompt\0"),
        gateway.post("x", tools="SECRET"),
    ]
    assert all("SECRET" not in error.text for error in errors)
    eventually(lambda: not gateway.running())
    assert "SECRET" not in gateway.log()
    assert PASSWORD not in gateway.log()


def test_the_lifecycle_is_logged_with_the_jobs_id(gateway: Gateway) -> None:
    stream = gateway.chat("result ok")
    stream.done()
    assert f"job {stream.job_id} started" in gateway.log()
    stream = gateway.chat("silent")
    gateway.ask("DELETE", f"/chat/{stream.job_id}")
    assert f"job {stream.job_id} is cancelled" in gateway.log()


def test_stopping_ends_streams_and_jobs_and_leaves_no_process(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway()
    stream = gateway.chat("child deaf daemon", "silent")
    stream.next()
    assert gateway.stop() == 0
    last = list(stream)[-1]
    assert last.name == "error"
    assert json.loads(last.data)["code"] == "stream_ended"
    assert not marked_in(gateway.state)
    assert gateway.record(stream.job_id, "ended")["status"] == "cancelled"
    eventually(lambda: not _served(gateway))


def test_after_kill_9_of_everything_the_next_start_closes_what_was_left(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway()
    stream = gateway.chat("line before", "child deaf daemon", "silent")
    stream.next()
    stream.next()
    assert gateway.process is not None
    for pid in (gateway.process.pid, *_served(gateway)):
        os.kill(pid, signal.SIGKILL)
    gateway.process.wait()
    assert marked_in(gateway.state)
    gateway.start()
    assert not marked_in(gateway.state)
    assert gateway.record(stream.job_id, "ended")["status"] == "lost"
    assert gateway.running() == []


def test_a_killed_worker_is_replaced(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway()
    before = gateway.workers()
    os.kill(before[0], signal.SIGKILL)
    eventually(lambda: len(set(gateway.workers()) - set(before)) == 1)
    for _ in range(6):
        assert gateway.chat("result ok").done()["status"] == "succeeded"


def test_a_reload_takes_new_settings_and_refuses_broken_ones(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    settings = tmp_path / ".env"
    settings.write_text("DEFAULT_MODEL=one\n", encoding="utf-8")
    gateway = start_gateway()
    assert gateway.process is not None

    def model() -> str:
        (line, *_) = gateway.chat("arguments").messages()
        (flag,) = [word for word in json.loads(line)["argv"] if word.startswith("--model")]
        return str(flag)

    assert model() == "--model=one"
    before = set(gateway.workers())
    settings.write_text("DEFAULT_MODEL=two\nADDED=new\n", encoding="utf-8")
    gateway.process.send_signal(signal.SIGHUP)
    eventually(lambda: len(gateway.workers()) == 2 and not before & set(gateway.workers()))
    assert model() == "--model=two"
    (line,) = gateway.chat("environment").messages()
    assert json.loads(line)["ADDED"] == "new"
    settings.write_text("HEARTBEAT=never\n", encoding="utf-8")
    gateway.process.send_signal(signal.SIGHUP)
    eventually(lambda: "the reload is refused: cannot use HEARTBEAT" in gateway.log())
    assert model() == "--model=two"


def test_a_reload_onto_an_address_that_cannot_be_had_changes_nothing(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    gateway = start_gateway()
    del gateway.environment["PORT"]
    gateway.stop()
    settings = tmp_path / ".env"
    settings.write_text(f"PORT={gateway.port}\n", encoding="utf-8")
    gateway.start()
    assert gateway.process is not None
    stream = gateway.chat("silent")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        settings.write_text(f"PORT={port}\n", encoding="utf-8")
        refused = f"cannot listen on 127.0.0.1, port {port}: the port is in use"
        check = gateway.check()
        assert (check.returncode, check.stderr.count("\n")) == (EX_CONFIG, 1)
        assert refused in check.stderr
        gateway.process.send_signal(signal.SIGHUP)
        eventually(lambda: f"the reload is refused: {refused}" in gateway.log())
        assert [row["process_id"] for row in gateway.running()] == [stream.job_id]
    # Its own port is no obstacle, and another one that is free is taken.
    settings.write_text(f"PORT={gateway.port}\n", encoding="utf-8")
    assert gateway.check().returncode == 0
    gateway.reload()
    settings.write_text(f"PORT={port}\n", encoding="utf-8")
    assert gateway.check().returncode == 0
    gateway.reload()
    gateway.url = f"http://127.0.0.1:{port}"
    assert [row["process_id"] for row in gateway.running()] == [stream.job_id]
    assert gateway.check().returncode == 0
    assert gateway.ask("DELETE", f"/chat/{stream.job_id}").status_code == 200


def test_a_reload_of_code_that_cannot_be_imported_changes_nothing(
    tmp_path: Path, fake_claude: Path
) -> None:
    gateway = Gateway(tmp_path, fake_claude)
    gateway.code = tmp_path / "checkout"
    gateway.code.mkdir()
    shutil.copytree(ROOT / "app", gateway.code / "app")
    shutil.copy(ROOT / "gunicorn.conf.py", gateway.code)
    (gateway.code / "vendored").symlink_to(ROOT / "vendored")
    try:
        gateway.start()
        assert gateway.process is not None
        before = gateway.workers()
        (gateway.code / "app/api/chat.py").write_text("import no_such_module\n")
        assert "no_such_module" in gateway.check().stderr
        gateway.process.send_signal(signal.SIGHUP)
        eventually(lambda: "the reload is refused: ModuleNotFoundError" in gateway.log())
        assert gateway.workers() == before
        gateway.stop()
    finally:
        gateway.kill()


def _served(gateway: Gateway) -> list[int]:
    """The pids of the launcher and the supervisors of this gateway, and of its workers."""
    found = []
    for entry in Path("/proc").iterdir():
        # It may end while we look.
        with contextlib.suppress(OSError):
            if (
                entry.name.isdigit()
                and str(gateway.state).encode() in (entry / "cmdline").read_bytes()
            ):
                found.append(int(entry.name))
    workers = gateway.workers() if gateway.process and gateway.process.poll() is None else []
    return found + workers


def test_two_streams_on_one_worker_do_not_disturb_each_other(gateway: Gateway) -> None:
    streams = [gateway.chat("lines 20000", "result ok") for _ in range(6)]
    for stream in streams:
        assert len(stream.messages()) == 20_001


def test_users_are_told_apart(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(API_KEYS="a-key-for-this-test")
    body = {"prompt": "silent", "cwd": str(gateway.project)}
    answer = gateway.ask(
        "POST",
        "/chat",
        json=body,
        auth=None,
        headers={"Authorization": "Bearer a-key-for-this-test"},
        stream=True,
    )
    assert gateway.running()[0]["user"] == "key-1"
    Stream(answer).close()


def test_a_damaged_job_keeps_nobody_from_starting(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway()
    streams = [gateway.chat("line a", "silent") for _ in range(4)]
    for stream in streams:
        stream.next()
    assert gateway.process is not None
    supervisors = [gateway.record(each.job_id, "running")["supervisor"][0] for each in streams]
    for pid in (gateway.process.pid, *gateway.workers(), *supervisors):
        os.kill(pid, signal.SIGKILL)
    gateway.process.wait()
    jobs = [gateway.state / "jobs" / stream.job_id for stream in streams]
    (jobs[0] / "job.json").write_bytes(b"")
    (jobs[1] / "running").write_bytes(b"{")
    (jobs[2] / "ended").write_bytes(b"")
    (jobs[3] / "output").unlink()
    os.utime(jobs[1] / "errors", (0, 0))
    gateway.start()
    assert gateway.running() == []
    assert not marked_in(gateway.state)


def test_a_second_gateway_on_the_same_state_is_refused(
    start_gateway: Callable[..., Gateway], fake_claude: Path, tmp_path: Path
) -> None:
    gateway = start_gateway()
    second = Gateway(tmp_path / "second", fake_claude, STATE_DIR=str(gateway.state))
    assert second.launch().wait(20) == EX_CONFIG
    assert "another gateway uses" in second.log()
    assert gateway.chat("result ok").done()["status"] == "succeeded"


def test_a_request_that_arrives_while_a_worker_stops_starts_nothing_there(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway()
    assert gateway.process is not None
    gateway.process.send_signal(signal.SIGHUP)
    before = set(gateway.workers())
    statuses = []
    jobs: list[Stream] = []
    while before & set(gateway.workers()):
        with contextlib.suppress(requests.ConnectionError):
            response = gateway.post("result ok")
            statuses.append(response.status_code)
            if response.status_code == 200:
                jobs.append(Stream(response))
                list(jobs[-1])
    assert set(statuses) <= {200, 503}
    # What had begun when its worker was told to stop has gone on.
    for job in jobs:
        assert gateway.resume(job.job_id).done()["status"] == "succeeded"
    assert gateway.running() == []


def test_a_full_disk_is_told_and_harms_no_other_job(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    state = tmp_path / "small"
    state.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(state)], check=False
    )
    if mount.returncode != 0:
        pytest.skip("this machine lets nobody mount")
    try:
        gateway = start_gateway(STATE_DIR=str(state), MIN_FREE_DISK="0")
        gateway.state = state
        quiet = gateway.chat("line a", "silent")
        quiet.next()
        flag = tmp_path / "full"
        speaking = gateway.chat("line a", f"await {flag}", f"line {'x' * 9999}", "result ok")
        speaking.next()
        filler = state / "filler"
        with contextlib.suppress(OSError), filler.open("wb") as file:
            while True:
                file.write(b"x" * 65536)
        wrong = gateway.ask("GET", "/processes", auth=("admin", "wrong"))
        assert wrong.status_code == 401
        assert len(gateway.running()) == 2
        assert gateway.post("result ok").status_code == 503
        cli = gateway.record(speaking.job_id, "running")["cli"][0]
        flag.touch()
        eventually(lambda: not alive(cli))
        assert len(gateway.running()) == 2
        filler.unlink()
        done = speaking.done()
        assert (done["status"], done["reason"]) == ("failed", "disk_full")
        assert gateway.ask("DELETE", f"/chat/{quiet.job_id}").status_code == 200
        assert quiet.done()["status"] == "cancelled"
        gateway.stop()
    finally:
        subprocess.run(["umount", "-l", str(state)], check=True)


def test_a_supervisor_makes_room_for_a_fresh_one_and_nobody_notices(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    claude = tmp_path / "quick"
    claude.write_text(
        "#!/bin/sh\n"
        'if [ "$1" = --version ]; then echo 1.0; exit; fi\n'
        'echo \'{"type":"result","is_error":false}\'\n',
        encoding="utf-8",
    )
    claude.chmod(0o755)
    gateway = start_gateway(claude)
    supervisors = set()
    for _ in range(JOBS_EACH + 50):
        done = gateway.chat("hello").done()
        assert done["status"] == "succeeded"
        supervisors.add(gateway.record(done["process_id"], "running")["supervisor"][0])
    assert len(supervisors) >= 2
    assert "Traceback" not in gateway.log()
