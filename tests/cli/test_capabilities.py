"""What the gateway knows of the CLI's capabilities, shows and makes of them."""

import fcntl
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import pytest

from app.cli.capabilities import ALL
from app.cli.capability_file import Binary, path_of, read_capabilities, write_capabilities
from app.cli.known_capabilities import KnownCapabilities
from app.http.chat_request import PROBE_PATIENCE
from tests.support.gateway import Gateway, eventually
from tests.support.probed_claude import calls, write_claude

START = Callable[..., Gateway]
OLD = ["--restricted", "--await-claim"]
RESULT = 'echo \'{"type":"result","subtype":"success","is_error":false,"session_id":"s"}\''


def capabilities(gateway: Gateway) -> dict[str, bool] | None:
    """What `/health` shows."""
    found: dict[str, bool] | None = gateway.ask("GET", "/health").json()["capabilities"]
    return found


def lacks(gateway: Gateway) -> list[str] | None:
    """The capabilities that `/health` shows as missing; None while it shows none."""
    found = capabilities(gateway)
    if found is None:
        return None
    assert set(found) == ALL
    return [name for name, is_there in found.items() if not is_there]


def come_to_lack(gateway: Gateway, *names: str) -> bool:
    """Wait until each worker knows that the CLI lacks these capabilities, and no others."""
    count = 10 * int(gateway.environment.get("WORKERS", "2"))
    eventually(lambda: all(lacks(gateway) == [*names] for _ in range(count)), gateway.log)
    return True


def test_both_workers_know_what_one_has_found_out_once(
    start_gateway: START, tmp_path: Path
) -> None:
    claude = write_claude(tmp_path / "claude", lacks=OLD)
    gateway = start_gateway(claude)
    assert come_to_lack(gateway, "restricted", "spares")
    found = calls(claude)
    assert len(found) == 4
    assert not (gateway.state / "probe").exists()
    eventually(lambda: "lacks restricted, spares" in gateway.log())
    # Neither other workers nor another gateway ask again.
    gateway.kill_workers()
    assert come_to_lack(gateway, "restricted", "spares")
    gateway.stop()
    gateway.start()
    assert come_to_lack(gateway, "restricted", "spares")
    assert calls(claude) == found


def test_an_update_of_the_cli_is_found_out_again(start_gateway: START, tmp_path: Path) -> None:
    claude = write_claude(tmp_path / "claude", lacks=OLD)
    gateway = start_gateway(claude)
    assert come_to_lack(gateway, "restricted", "spares")
    write_claude(claude, version="9.9.10")
    assert come_to_lack(gateway)
    write_claude(claude, lacks=["--effort"])
    assert come_to_lack(gateway, "effort")


def test_nothing_waits_for_the_probe(start_gateway: START, tmp_path: Path) -> None:
    go = tmp_path / "go"
    slow = f'case $* in *"--await-claim "*) until [ -e {go} ]; do sleep 0.05; done ;; esac'
    claude = write_claude(tmp_path / "claude", first=slow, turn=RESULT)
    gateway = start_gateway(claude, WORKERS="1")
    for _ in range(20):
        started = time.monotonic()
        assert capabilities(gateway) is None
        assert time.monotonic() - started < PROBE_PATIENCE
    # Meanwhile what changes rights goes to the CLI, which would refuse it.
    done = gateway.chat("x", restricted=True).done()
    assert done["status"] == "succeeded"
    assert any("--restricted" in call and "--verbose" in call for call in calls(claude))
    # Only who depends on it waits for some seconds.
    for wait in (
        lambda: gateway.post("x", ask=True).json()["code"] == "capabilities_unknown",
        lambda: gateway.chat("x", keep_alive="5m").done()["status"] == "succeeded",
    ):
        started = time.monotonic()
        assert wait()
        assert PROBE_PATIENCE <= time.monotonic() - started < 2 * PROBE_PATIENCE
    go.touch()
    assert come_to_lack(gateway, "spares", "turns")


def test_a_question_to_a_new_cli_waits_until_it_is_known(
    start_gateway: START, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    slow = f'case $* in *"--claudecode2api-end") until [ -e {go} ]; do sleep 0.05; done ;; esac'
    gateway = start_gateway(write_claude(tmp_path / "claude", first=slow))
    assert capabilities(gateway) is None
    threading.Timer(0.5, go.touch).start()
    assert gateway.post("x", ask=True).status_code == 200


def test_a_field_that_the_cli_lacks_is_a_400_that_names_both(
    start_gateway: START, tmp_path: Path
) -> None:
    flags = ["--restricted", "--effort", "--permission-prompt-tool"]
    claude = write_claude(tmp_path / "claude", lacks=flags)
    gateway = start_gateway(claude)
    assert come_to_lack(gateway, "ask", "effort", "restricted")
    before = calls(claude)
    fields: dict[str, Any] = {"restricted": True, "ask": True, "effort": "low"}
    for field, value in fields.items():
        answer = gateway.post("x", **{field: value})
        assert (answer.status_code, answer.json()["code"]) == (400, "field_not_supported")
        assert field in answer.json()["detail"]
        assert "9.9.9 (Probed)" in answer.json()["detail"]
        openai = {
            "model": "sonnet",
            "messages": [{"role": "user", "content": "x"}],
            "claude": {field: value},
        }
        error = gateway.ask("POST", "/v1/chat/completions", json=openai).json()["error"]
        assert (error["code"], error["param"]) == ("field_not_supported", field)
    assert calls(claude) == before
    assert gateway.running() == []


def test_agents_go_by_a_file_once_the_cli_reads_one(start_gateway: START, tmp_path: Path) -> None:
    claude = write_claude(tmp_path / "claude", lacks=["--agents"])
    gateway = start_gateway(claude)

    def argument() -> object:
        """The argument with the agents of a job."""
        agents = {"one": {"description": "d", "prompt": "p"}}
        job = gateway.post("x", agents=agents).headers["X-Process-ID"]
        start = json.loads((gateway.state / "runs" / job / "start.json").read_bytes())
        (found,) = (each for each in start["arguments"] if "--agents" in str(each))
        return found

    assert come_to_lack(gateway, "agents_in_file")
    assert str(argument()).startswith('--agents={"one"')
    write_claude(claude, version="9.9.10")
    assert come_to_lack(gateway)
    found = argument()
    assert isinstance(found, dict)
    assert found["flag"] == "--agents"


def test_a_probe_that_has_failed_is_not_repeated_by_each_worker(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    claude = write_claude(tmp_path / "claude", first="exit 3")
    environment = {"PATH": os.defpath}
    binary = Binary(str(claude), 1, 2, 3, 4, "9.9.9 (Probed)")

    def worker(**more: str) -> None:
        """What each worker does."""
        known = KnownCapabilities(str(tmp_path), str(claude), {**environment, **more})
        assert known.of(binary) is None
        # The probe runs in a greenlet.
        gevent.sleep(0)
        assert known.wait_for(binary, 60.0) is None

    worker()
    assert len(calls(claude)) == 1
    worker()
    assert len(calls(claude)) == 1
    assert caplog.text.count("cannot find out what") == 1
    # It may work with another environment.
    worker(MORE="1")
    assert len(calls(claude)) == 2
    (tmp_path / "capabilities.failed").write_text("{}")
    worker(MORE="1")
    assert len(calls(claude)) == 3


def test_a_cli_that_cannot_be_probed_runs_jobs_the_plain_way(
    start_gateway: START, tmp_path: Path
) -> None:
    broken = 'case $* in *"--claudecode2api-end"*) exit 3 ;; esac'
    claude = write_claude(tmp_path / "claude", first=broken, turn=RESULT)
    gateway = start_gateway(claude, WORKERS="1")
    eventually(lambda: "cannot find out what" in gateway.log())
    assert capabilities(gateway) is None
    started = time.monotonic()
    assert gateway.chat("x", keep_alive=-1, effort="low").done()["status"] == "succeeded"
    assert time.monotonic() - started < PROBE_PATIENCE
    # It is not tried again and again.
    assert len([call for call in calls(claude) if "claudecode2api-end" in call]) == 1


BINARY = Binary("/usr/bin/claude", 1, 2, 3, 4, "9.9.9")
WRITTEN: dict[str, Callable[[Path], Any]] = {
    "missing": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "not JSON": lambda path: path.write_bytes(b"{"),
    "a list": lambda path: path.write_bytes(b"[]"),
    "another version": lambda path: path.write_text(path.read_text().replace("9.9.9", "9.9.8")),
    "another file": lambda path: path.write_text(path.read_text().replace("3", "5")),
    "another gateway's": lambda path: path.write_text(path.read_text().replace("effort", "e")),
    "another kind": lambda path: path.write_text(json.dumps({"binary": 1})),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "nowhere": lambda path: (path.unlink(), path.symlink_to("nowhere")),
}


@pytest.mark.parametrize("kind", WRITTEN)
def test_what_the_file_does_not_say_is_not_known(tmp_path: Path, kind: str) -> None:
    found = ALL - {"turns"}
    write_capabilities(str(tmp_path), BINARY, ALL, found)
    assert read_capabilities(str(tmp_path), BINARY, ALL) == found
    WRITTEN[kind](Path(path_of(str(tmp_path))))
    assert read_capabilities(str(tmp_path), BINARY, ALL) is None


def test_a_worker_knows_at_once_what_another_one_has_found_out(tmp_path: Path) -> None:
    claude = write_claude(tmp_path / "claude")
    with (tmp_path / "capabilities.lock").open("w") as lock:
        # The other one probes.
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = KnownCapabilities(str(tmp_path), str(claude), {"PATH": os.defpath})
        assert known.of(BINARY) is None
        # This one looks in a greenlet.
        gevent.sleep(0)
        assert known.of(BINARY) is None
        write_capabilities(str(tmp_path), BINARY, ALL, ALL - {"turns"})
        assert known.of(BINARY) == ALL - {"turns"}
    assert calls(claude) == []


def test_a_damaged_file_is_replaced(start_gateway: START, tmp_path: Path) -> None:
    gateway = start_gateway(write_claude(tmp_path / "claude"), WORKERS="1")
    assert come_to_lack(gateway)
    gateway.stop()
    path = Path(path_of(str(gateway.state)))
    path.unlink()
    path.mkdir()
    gateway.start()
    assert come_to_lack(gateway)
    eventually(path.is_file)


@pytest.mark.real
def test_an_old_cli_runs_jobs_the_plain_way(old_real: Gateway) -> None:
    assert come_to_lack(
        old_real, "agents_in_file", "prompt_snapshot", "restricted", "spares", "turns"
    )
    done = old_real.chat("hello", keep_alive="5m", background_wait=1, max_turns=3).done()
    assert done["status"] == "succeeded"
    for field in ("ask", "restricted"):
        answer = old_real.post("hello", **{field: True})
        assert (answer.status_code, answer.json()["code"]) == (400, "field_not_supported")
        assert f"2.1.197 (Claude Code), does not support {field}" in answer.json()["detail"]


@pytest.mark.real
def test_an_old_cli_takes_the_fields_that_it_supports(old_real: Gateway) -> None:
    session = "f9645fec-cdad-4505-8f73-2b22a415a890"
    fields: dict[str, Any] = {
        "max_turns": 3,
        "max_budget_usd": 1,
        "effort": "low",
        "betas": ["context-1m-2025-08-07"],
        "agent": "helper",
        "agents": {"helper": {"description": "helps", "prompt": "You help."}},
        "name": "a name",
        "new_session_id": session,
        "setting_sources": [],
        "include_partial_messages": True,
        "include_hook_events": True,
        "disable_slash_commands": True,
        "env": {"A": "from the request"},
    }
    events = list(old_real.chat("bash: printenv A", **fields))
    assert any(b"from the request" in event.data for event in events)
    done = json.loads(events[-1].data)
    assert (done["status"], done["session_id"]) == ("succeeded", session)


@pytest.mark.real
def test_the_newest_cli_can_do_all(real: Gateway) -> None:
    assert come_to_lack(real)
