"""The environment variables of a request: where their values are, and which names are refused."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.gateway import Gateway
from tests.support.two_users import ALICE, KEYS, by, chat

SECRET = "s3cret-of-a-tool-0123456789"  # noqa: S105 - it is to be found nowhere
START = Callable[..., Gateway]


def command_lines() -> Iterator[bytes]:
    """The command line and the environment of every process on the machine."""
    for process in Path("/proc").iterdir():
        for name in ("cmdline", "environ"):
            try:
                # This process has the secret in its memory, and in no command line.
                yield (process / name).read_bytes()
            except OSError:
                continue


def files_with(secret: str, folder: Path) -> dict[str, Path]:
    """The files that contain a text, by their names."""
    found = {}
    for parent, _, names in os.walk(folder):
        for path in (Path(parent, name) for name in names if Path(parent, name).is_file()):
            # What the gateway has removed meanwhile has no secret any more.
            with contextlib.suppress(FileNotFoundError):
                if not path.is_symlink() and secret.encode() in path.read_bytes():
                    found[path.name] = path
    return found


@pytest.mark.parametrize("field", ["env", "settings"])
def test_a_value_is_in_one_private_file_of_the_run_and_nowhere_else(
    start_gateway: START, field: str
) -> None:
    gateway = start_gateway()
    value: Any = {"TOKEN": SECRET}
    go = gateway.folder / "go"
    stream = gateway.chat(
        f"await {go}",
        "complain no such thing",
        "result ok",
        **{field: value if field == "env" else json.dumps({"env": value})},
    )
    job_id = stream.job_id
    assert not any(SECRET.encode() in text for text in command_lines())
    shown = [gateway.ask("GET", path).text for path in ("/processes", f"/jobs/{job_id}", "/jobs")]
    (path,) = files_with(SECRET, gateway.folder).values()
    assert path.parent == gateway.state / "runs" / job_id
    assert path.stat().st_mode & 0o777 == 0o600
    go.touch()
    events = [event.data.decode() for event in stream]
    shown += events
    shown += [gateway.ask("GET", f"/jobs/{job_id}").text, gateway.ask("GET", "/metrics").text]
    assert not any(SECRET in text for text in shown)
    assert SECRET not in gateway.log()
    # The file goes with the process.
    assert files_with(SECRET, gateway.folder) == {}


@pytest.fixture
def two(gateway_with: Callable[..., Gateway]) -> Gateway:
    """A gateway with the operator and users, whose operator allows some variables."""
    return gateway_with(API_KEYS=KEYS, ENV_ALLOWED="GIT_SSH_COMMAND,AWS_*")


def refusal(gateway: Gateway, **fields: Any) -> dict[str, Any]:
    """The problem that a request of a key's user is refused with."""
    body = {"prompt": "silent", "cwd": str(gateway.project), **fields}
    answer = gateway.ask("POST", "/chat", json=body, **by(ALICE))
    assert answer.status_code == 422
    assert SECRET not in answer.text
    assert gateway.running() == []
    problem: dict[str, Any]
    (problem,) = answer.json()["detail"]
    return problem


def test_a_name_that_steers_the_cli_is_refused_wherever_it_is(two: Gateway) -> None:
    env = {"FINE": "1", "LD_PRELOAD": SECRET}
    problem = refusal(two, env=env)
    assert problem["loc"] == ["body", "env", "LD_PRELOAD"]
    assert "ENV_ALLOWED" in problem["msg"]
    problem = refusal(two, settings=json.dumps({"env": env}))
    assert problem["loc"] == ["body", "settings", "env", "LD_PRELOAD"]
    # In a file that the request names, too.
    path = two.project / "settings.json"
    path.write_text(json.dumps({"env": env}))
    problem = refusal(two, settings="settings.json")
    assert problem["loc"] == ["body", "settings", "env", "LD_PRELOAD"]
    assert SECRET not in two.log()


def test_it_is_refused_in_every_chat_api(two: Gateway) -> None:
    env = {"NODE_OPTIONS": SECRET}
    asked = {"messages": [{"role": "user", "content": "silent"}], "model": "sonnet"}
    for path, body in (
        ("/v1/chat/completions", {**asked, "claude": {"env": env}}),
        ("/api/claude", {"prompt": "silent", "env": env}),
    ):
        answer = two.ask("POST", path, json=body, **by(ALICE))
        assert answer.status_code in (400, 422)
        assert "NODE_OPTIONS" in answer.text
        assert SECRET not in answer.text
    assert two.running() == []


def test_the_operator_may_set_all_in_settings_and_no_more_in_env(two: Gateway) -> None:
    settings = json.dumps({"env": {"NODE_OPTIONS": "--no-warnings"}})
    (line,) = two.chat("arguments", settings=settings).messages()
    assert "--no-warnings" in json.loads(line)["files"]["--settings"]
    assert two.post("silent", env={"NODE_OPTIONS": SECRET}).status_code == 422


def test_what_the_operator_allows_is_accepted(two: Gateway) -> None:
    env = {"GIT_SSH_COMMAND": "ssh -v", "AWS_PROFILE": "one", "MINE": "2"}
    for fields in ({"env": env}, {"settings": json.dumps({"env": env})}):
        (line,) = chat(two, ALICE, "arguments", **fields).messages()
        found = json.loads(json.loads(line)["files"]["--settings"])
        assert found == {"crossSessionInbound": "refuse", "env": env}
