"""What only the operator gets: the doctor's rows, the settings in effect, the end of the log."""

import base64
import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.api.doctor_process import DoctorProcess
from app.server.reload_record import last_refusal
from app.setting_sources import SECRET_FILES
from app.settings import SECRET, setting_names
from tests.support.gateway import Gateway, eventually, free_port, running_gateway
from tests.support.settings import PRIVATE
from tests.support.two_users import ALICE, KEYS, by

VIEWS = ("/doctor", "/settings", "/log")
#: Those of `claudecode2api doctor` that are there whatever the machine is, without the job.
CHECKS = [
    *("python", "packages", "user", ".env", "settings", "unit", "claude", "capabilities"),
    *("login", "state folder", "disk", "port", "gateway"),
]


@pytest.mark.parametrize("shared", ["false", "true"])
def test_a_keys_user_gets_none_of_it(gateway_with: Callable[..., Gateway], shared: str) -> None:
    gateway = gateway_with(API_KEYS=KEYS, SHARED_JOBS=shared)
    for path in VIEWS:
        answer = gateway.ask("GET", path, **by(ALICE))
        assert (answer.status_code, answer.json()["code"]) == (403, "operator_only")
        assert gateway.ask("GET", path, auth=None).status_code == 401
        assert gateway.ask("GET", path).status_code == 200


def test_the_doctor_finds_what_the_command_finds_and_starts_no_job(
    start_gateway: Callable[..., Gateway],
) -> None:
    # It asks the gateway, too, whose one worker waits for it.
    gateway = start_gateway(WORKERS="1")
    answers: list[dict[str, Any]] = []

    def ask() -> None:
        answers.append(gateway.ask("GET", "/doctor").json())

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for report in answers:
        rows = {row["check"]: row for row in report["rows"]}
        assert [name for name in rows if not name.startswith("unit ") and name != "root"] == CHECKS
        assert report["ok"] is True
        path = gateway.environment["CLAUDE_PATH"]
        assert rows["claude"]["message"] == f"9.9.9 (Fake Code), {path}, which the gateway uses"
        assert rows["gateway"]["message"].endswith("accepts the password; 0 jobs run")
        for row in rows.values():
            assert (row["remedy"] is not None) == (row["status"] in ("warning", "failed"))
    assert len(answers) == len(threads)
    assert not any((gateway.state / "jobs").iterdir())


def test_the_doctor_sees_what_the_settings_would_be_now(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway()
    (gateway.folder / ".env").write_text("QUEUE_SIZ=1\n")
    report = gateway.ask("GET", "/doctor").json()
    assert report["ok"] is False
    (failed,) = (row for row in report["rows"] if row["status"] == "failed")
    assert failed["check"] == "settings"
    assert "did you mean QUEUE_SIZE?" in failed["message"]


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a gateway that does not run."""
    yield {
        "PATH": os.defpath,
        "HOME": str(tmp_path),
        "AUTH_PASSWORD": PRIVATE,
        "STATE_DIR": str(tmp_path / "state"),
        "PORT": str(free_port()),
        "CLAUDE_PATH": "/nowhere",
        "CLAUDECODE2API_ENV_FILE": str(tmp_path / ".env"),
    }
    # None is killed, so they end by themselves.
    eventually(lambda: not checking())


def checking() -> list[int]:
    """The pids of the processes that make the checks for this one."""
    found = []
    for pid in Path("/proc/thread-self/children").read_text().split():
        with contextlib.suppress(OSError):
            if b"doctor_rows" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(int(pid))
    return found


def test_a_slow_check_is_not_waited_for_and_is_there_the_next_time(alone: dict[str, str]) -> None:
    process = DoctorProcess(alone, patience=0.001)
    began = time.monotonic()
    rows = process.rows()
    assert time.monotonic() - began < 5
    assert rows[-1]["check"] == "doctor"
    assert rows[-1]["message"] == "the next check has not ended within 0.001 s"
    first = eventually(checking)
    assert len(first) == 1
    found: list[dict[str, Any]] = []

    def ask() -> bool:
        found[:] = process.rows()
        assert checking() in (first, [])
        return found[-1]["check"] != "doctor"

    eventually(ask)
    assert {row["check"] for row in found if row["status"] == "failed"} == {"claude", "gateway"}


def test_checks_that_end_too_early_are_a_row(alone: dict[str, str]) -> None:
    process = DoctorProcess(alone, patience=0.001)
    process.rows()
    # The program's name is there once it is loaded.
    eventually(checking)
    (pid,) = checking()
    os.kill(pid, signal.SIGKILL)
    # What it is to be read of it is there when it has ended.
    eventually(lambda: process.rows()[-1]["message"].endswith("ended with status -9"))


def test_the_settings_have_their_values_origins_and_defaults(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("HTTPS_PROXY=http://127.0.0.1:1\nQUEUE_SIZE=7\n")
    (tmp_path / "claudecode2api.toml").write_text('\nmodel_aliases = ["gpt-4o=sonnet"]\n')
    gateway = start_gateway(KILL_GRACE="2.5")
    answer = gateway.ask("GET", "/settings").json()
    shown = {each.pop("name"): each for each in answer["settings"]}
    assert set(shown) == setting_names() - set(SECRET_FILES)
    origin = {"origin": "default", "file": None, "line": None}
    assert shown["AUTH_USER"] == {"value": "admin", "default": "admin", **origin}
    assert shown["KILL_GRACE"]["value"] == 2.5
    assert (shown["KILL_GRACE"]["origin"], shown["KILL_GRACE"]["default"]) == ("environment", 8)
    assert (shown["QUEUE_SIZE"]["value"], shown["QUEUE_SIZE"]["origin"]) == (7, "env_file")
    aliases = shown["MODEL_ALIASES"]
    assert (aliases["value"], aliases["origin"]) == ({"gpt-4o": "sonnet"}, "toml")
    assert aliases["line"] == 2
    assert shown["AUTH_PASSWORD"]["value"] == "***"
    assert shown["API_KEYS"]["value"] is None
    (variable,) = answer["variables"]
    assert (variable["name"], variable["value"]) == ("HTTPS_PROXY", "***")
    assert answer["last_refused_reload"] is None


def planted(tmp_path: Path) -> dict[str, str]:
    """A secret in every place that can have one, in the environment and files."""
    mcp = tmp_path / "mcp.json"
    server = {"type": "http", "url": f"https://u:{PRIVATE}@x/", "headers": {"X": PRIVATE}}
    mcp.write_text(json.dumps({"mcpServers": {"files": server}}))
    (tmp_path / "anthropic").write_text(f"sk-{PRIVATE}\n")
    (tmp_path / ".env").write_text(
        f"HTTPS_PROXY=http://u:{PRIVATE}@127.0.0.1:1\nMY_OWN={PRIVATE}\n"
        f"ANTHROPIC_BASE_URL=https://u:{PRIVATE}@127.0.0.1:1\n"
    )
    return {
        "AUTH_PASSWORD": f"{PRIVATE}-of-the-operator",
        "API_KEYS": f"ci:{PRIVATE}-of-ci,{PRIVATE}-alone,x:sha256:{'ab' * 32}",
        "CLAUDE_ACCESS_TOKEN": f"{PRIVATE}-token",
        "ANTHROPIC_API_KEY_FILE": str(tmp_path / "anthropic"),
        "MCP_CONFIG": str(mcp),
        # In a setting that is no secret, by mistake.
        "DEFAULT_MODEL": f"https://u:{PRIVATE}@x/",
        "MODEL_ALIASES": "a=sk-ant-0123456789",
    }


def test_no_secret_is_in_any_answer(start_gateway: Callable[..., Gateway], tmp_path: Path) -> None:
    secrets = planted(tmp_path)
    # A new secret needs a value here.
    assert set(secrets) >= SECRET | {"ANTHROPIC_API_KEY_FILE"}
    gateway = start_gateway(**secrets)
    gateway.ask("GET", f"/health?{PRIVATE}", auth=("admin", "wrong"))
    for path in VIEWS:
        answer = gateway.ask("GET", path)
        assert answer.status_code == 200
        basic = base64.b64encode(f"admin:{secrets['AUTH_PASSWORD']}".encode()).decode()
        for secret in (PRIVATE, "ab" * 32, "sk-ant-0123456789", basic):
            assert secret not in answer.text, path
    shown = {each["name"]: each for each in gateway.ask("GET", "/settings").json()["settings"]}
    assert {shown[name]["value"] for name in SECRET} == {"***"}
    assert shown["DEFAULT_MODEL"]["value"] == "https://***@x/"


def test_a_refused_reload_is_shown_until_one_works(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    gateway = start_gateway()
    assert gateway.process is not None

    def refuse(line: str, error: str) -> dict[str, Any]:
        (tmp_path / ".env").write_text(line)
        assert gateway.process is not None
        gateway.process.send_signal(signal.SIGHUP)
        eventually(lambda: error in str(last_refusal(str(gateway.state))))
        shown: dict[str, Any] = gateway.ask("GET", "/settings").json()["last_refused_reload"]
        return shown

    first = refuse("QUEUE_SIZE=many\n", "cannot use QUEUE_SIZE")
    assert first["error"] == "cannot use QUEUE_SIZE: 'many' is not a whole number from 0 to 100000"
    second = refuse("MAX_HELD=many\n", "cannot use MAX_HELD")
    assert second["at"] > first["at"]
    (tmp_path / ".env").unlink()
    gateway.reload()
    assert gateway.ask("GET", "/settings").json()["last_refused_reload"] is None
    refuse("QUEUE_SIZE=few\n", "'few'")
    (tmp_path / ".env").unlink()
    gateway.stop()
    gateway.start()
    assert gateway.ask("GET", "/settings").json()["last_refused_reload"] is None
    # A job can write there, too.
    for damaged in ("", "[]", '{"at": 1}', "\0" * 70_000):
        (gateway.state / "refused_reload.json").write_text(damaged)
        assert gateway.ask("GET", "/settings").json()["last_refused_reload"] is None


def by_process(lines: list[str]) -> dict[str, list[str]]:
    """The lines of each process, by its pid."""
    found: dict[str, list[str]] = {}
    for line in filter(None, lines):
        found.setdefault(line.split()[2], []).append(line)
    return found


def test_the_log_is_what_standard_error_has(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway()
    gateway.ask("GET", "/jobs", headers={"X-Request-ID": "the-last-one"})
    # A response is logged once it was sent.
    eventually(lambda: "the-last-one" in gateway.ask("GET", "/log").text)
    answer = gateway.ask("GET", "/log", params={"lines": 2000}).json()
    # The request for it is not in it yet.
    written = by_process(gateway.log().split("\n"))
    for process, lines in by_process(answer["lines"]).items():
        # What two processes write at the same time is there in any order.
        assert lines == written[process][: len(lines)]
    assert answer["count"] == len(answer["lines"]) > 5
    assert any("using " in line for line in answer["lines"])
    two = gateway.ask("GET", "/log", params={"lines": 2}, headers={"Accept": "text/plain"})
    assert two.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert two.text.count("\n") == 2
    assert two.text.split("\n")[0] in gateway.log().split("\n")


@pytest.mark.parametrize("lines", ["0", "-1", "2001", "1.5", "many", ""])
def test_a_number_of_lines_that_cannot_be_is_refused(gateway: Gateway, lines: str) -> None:
    answer = gateway.ask("GET", "/log", params={"lines": lines})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_what_a_job_writes_into_the_log_is_shown_as_text(gateway: Gateway) -> None:
    with (gateway.state / "log").open("ab") as log:
        log.write(b"\x1b[2J\xff\xe2\x80\xae<b>\n")
    eventually(lambda: "<b>" in gateway.ask("GET", "/log").text)
    lines = gateway.ask("GET", "/log").json()["lines"]
    assert r"\x1b[2J" + "\ufffd" + r"\u202e<b>" in lines


def test_a_full_disk_costs_the_kept_log_alone(fake_claude: Path, small_disk: Path) -> None:
    settings = {"STATE_DIR": str(small_disk), "MIN_FREE_DISK": "0"}
    with running_gateway(small_disk.parent / "full", fake_claude, **settings) as gateway:
        gateway.state = small_disk
        with contextlib.suppress(OSError), (small_disk / "filler").open("wb") as filler:
            while True:
                filler.write(bytes(1 << 12))
                filler.flush()
        for _ in range(100):
            assert gateway.ask("GET", "/jobs").status_code == 200
        assert gateway.ask("GET", "/log").status_code == 200
        assert "Traceback" not in gateway.log()
        (small_disk / "filler").unlink()
        eventually(lambda: gateway.ask("GET", "/log").json()["lines"][-1] in gateway.log())
