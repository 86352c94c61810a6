"""Spares, with the real CLI: started ahead, and claimed by a job with a new session."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app import processes
from app.records.kept_run import KeptRun, kept_runs
from tests.support import model_api
from tests.support.gateway import Gateway, alive, eventually, running_gateway
from tests.support.real_cli import fields_of, without_network
from tests.support.talk import runs_of

# They are started while a core is idle.
pytestmark = [pytest.mark.real, pytest.mark.alone, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def ahead(
    claude: Path, model: model_api.Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway that keeps a spare."""
    settings = {**without_network(model), "ANTHROPIC_API_KEY": "dummy", "SPARES": "1"}
    with running_gateway(tmp_path_factory.mktemp("ahead"), claude, **settings) as gateway:
        yield gateway


def spares(gateway: Gateway) -> list[KeptRun]:
    return [each for each in kept_runs(str(gateway.state)) if each.state == "spare"]


def spare(gateway: Gateway) -> KeptRun:
    """The spare, once it can be claimed."""

    def is_ready() -> bool:
        return any(
            b"control_response" in (gateway.state / "runs" / each.id / "output").read_bytes()
            for each in spares(gateway)
        )

    eventually(is_ready, patience=60)
    return spares(gateway)[0]


def served_by(gateway: Gateway, job_id: str) -> str:
    run: str = gateway.record(job_id, "ended")["run"]
    return run


def test_a_job_without_options_gets_the_spare_and_streams_its_own_lines(ahead: Gateway) -> None:
    waiting = spare(ahead)
    stream = ahead.chat("bash: echo tool-$((40 + 2))")
    lines = stream.messages()
    assert served_by(ahead, stream.job_id) == waiting.id
    (init, *_) = fields_of(lines, "system")
    assert (init["subtype"], init["cwd"]) == ("init", str(ahead.project))
    assert init["permissionMode"] == "bypassPermissions"
    assert fields_of(lines, "control_response") == []
    again = [event.data for event in ahead.resume(stream.job_id) if event.name == "message"]
    assert again == lines
    counted = 'claudecode2api_run_starts_total{kind="spare"} 1.0'
    eventually(lambda: counted in ahead.ask("GET", "/metrics").text)
    first_lines = 'claudecode2api_run_first_line_seconds_count{kind="spare"} 1.0'
    assert first_lines in ahead.ask("GET", "/metrics").text
    # The run's own folder is gone with it; the job has its output.
    eventually(lambda: not (ahead.state / "runs" / waiting.id).exists())


@pytest.mark.parametrize(
    "fields",
    [
        {"append_system_prompt": "be nice", "add_dir": ["/tmp"]},  # noqa: S108
        {"system_prompt": "only this", "permission_mode": "plan"},
    ],
)
def test_what_a_claim_can_carry_reaches_the_cli(
    ahead: Gateway, model: model_api.Server, fields: dict[str, Any]
) -> None:
    waiting = spare(ahead)
    stream = ahead.chat("hello", **fields)
    lines = stream.messages()
    assert served_by(ahead, stream.job_id) == waiting.id
    (init, *_) = fields_of(lines, "system")
    assert init["permissionMode"] == fields.get("permission_mode", "bypassPermissions")
    prompt = str(model.asked[-1]["system"])
    wanted = fields.get("system_prompt") or fields["append_system_prompt"]
    assert wanted in prompt


@pytest.mark.parametrize("fields", [{"model": "opus"}, {"max_turns": 3}, {"keep_alive": 5}])
def test_a_job_with_other_options_starts_cold(ahead: Gateway, fields: dict[str, Any]) -> None:
    waiting = spare(ahead)
    done = ahead.chat("hello", **fields).done()
    assert done["status"] == "succeeded"
    assert served_by(ahead, done["process_id"]) != waiting.id


def test_a_project_that_refuses_claims_starts_cold(ahead: Gateway) -> None:
    waiting = spare(ahead)
    settings = ahead.project / ".claude" / "settings.json"
    settings.parent.mkdir(exist_ok=True)
    settings.write_text('{"env": {"OF_PROJECT": "1"}}', encoding="utf-8")
    try:
        done = ahead.chat("bash: echo of-$OF_PROJECT").done()
    finally:
        settings.unlink()
    record = ahead.ask("GET", f"/jobs/{done['process_id']}").json()
    assert "of-1" in record["result"]
    assert served_by(ahead, done["process_id"]) == done["process_id"]
    assert waiting.id not in {each.id for each in spares(ahead)}


def test_a_spare_with_servers_that_have_changed_is_not_used(
    claude: Path, model: model_api.Server, tmp_path: Path
) -> None:
    servers = tmp_path / "servers.json"
    servers.write_text('{"mcpServers": {}}', encoding="ascii")
    settings = {**without_network(model), "ANTHROPIC_API_KEY": "dummy", "SPARES": "1"}
    settings["MCP_CONFIG"] = str(servers)
    with running_gateway(tmp_path / "gateway", claude, **settings) as gateway:
        waiting = spare(gateway)
        done = gateway.chat("hello").done()
        assert served_by(gateway, done["process_id"]) == waiting.id
        waiting = spare(gateway)
        servers.write_text('{"mcpServers": {}} ', encoding="ascii")
        done = gateway.chat("hello").done()
        assert done["status"] == "succeeded"
        assert served_by(gateway, done["process_id"]) == done["process_id"]
        eventually(lambda: waiting.id not in {each.id for each in spares(gateway)})


@pytest.mark.parametrize("stopped", [True, False], ids=["stopped", "killed"])
def test_a_spare_that_does_not_answer_costs_no_job(ahead: Gateway, stopped: bool) -> None:
    waiting = spare(ahead)
    (child,) = processes.children_of(waiting.supervisor.pid)
    cli = child.pid
    os.kill(cli, signal.SIGSTOP if stopped else signal.SIGKILL)
    stream = ahead.chat("bash: echo once >> once.txt")
    assert stream.done()["status"] == "succeeded"
    assert served_by(ahead, stream.job_id) == stream.job_id
    assert not alive(cli)
    once = ahead.project / "once.txt"
    assert once.read_text(encoding="ascii") == "once\n"
    once.unlink()


def test_nothing_of_a_spare_is_left_after_a_stop(
    claude: Path, model: model_api.Server, tmp_path: Path
) -> None:
    settings = {**without_network(model), "ANTHROPIC_API_KEY": "dummy", "SPARES": "1"}
    with running_gateway(tmp_path, claude, **settings) as gateway:
        waiting = spare(gateway)
        assert gateway.stop() == 0
        assert not alive(waiting.supervisor.pid)
        assert spares(gateway) == []
        assert list((gateway.state / "runs").iterdir()) == []


def test_a_spare_is_the_operators_to_see_and_to_end(ahead: Gateway) -> None:
    waiting = spare(ahead)
    (row,) = [row for row in runs_of(ahead) if row["run_id"] == waiting.id]
    assert (row["state"], row["jobs"]) == ("spare", 0)
    assert (row["user"], row["cwd"], row["session_id"]) == (None, None, None)
    assert ahead.ask("DELETE", f"/runs/{waiting.id}").status_code == 200
    assert waiting.id not in [row["run_id"] for row in runs_of(ahead)]
    assert spare(ahead).id != waiting.id
