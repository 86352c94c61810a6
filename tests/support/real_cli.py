"""The real CLI for tests, the stand-in for the model's API, and gateways with both."""

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import model_api
from tests.support.gateway import Gateway, running_gateway
from tests.support.talk import await_turns

#: The key of a client of the OpenAI API.
API_KEY = "a-key-for-tests-of-clients"


@pytest.fixture(scope="module")
def claude() -> Path:
    """The real CLI that scripts/test has installed."""
    path = os.environ.get("TEST_CLAUDE")
    assert path, "set TEST_CLAUDE to a claude binary, or run scripts/test, which gets one"
    return Path(path)


@pytest.fixture(scope="module")
def old_claude() -> Path:
    """The CLI 2.1.197, which scripts/test has installed: it lacks much of what is new."""
    path = os.environ.get("TEST_OLD_CLAUDE")
    assert path, "set TEST_OLD_CLAUDE to a claude binary, or run scripts/test, which gets one"
    return Path(path)


@pytest.fixture(scope="module")
def model() -> Iterator[model_api.Server]:
    """The stand-in for the model's API."""
    server = model_api.serve()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def without_network(model: model_api.Server) -> dict[str, str]:
    """The environment with which the CLI connects only to the stand-in."""
    return {
        "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{model.server_address[1]}",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_TELEMETRY": "1",
        # As root the CLI skips permissions only in a sandbox.
        "IS_SANDBOX": "1",
    }


def _signed_in(model: model_api.Server) -> dict[str, str]:
    """The settings of a gateway with a dummy key."""
    settings = {**without_network(model), "ANTHROPIC_API_KEY": "dummy", "KILL_GRACE": "8"}
    # A spare would cost half a second of a core for each job.
    return {**settings, "SPARES": "0"}


@pytest.fixture(scope="module")
def real(
    claude: Path, model: model_api.Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway with the real CLI, signed in with a dummy key."""
    settings = _signed_in(model)
    with running_gateway(tmp_path_factory.mktemp("real"), claude, **settings) as gateway:
        # A request waits 5 s for that, and the CLI may take longer here.
        await_turns(gateway)
        yield gateway


@pytest.fixture(scope="module")
def old_real(
    old_claude: Path, model: model_api.Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway with the old CLI, signed in with a dummy key."""
    settings = _signed_in(model)
    with running_gateway(tmp_path_factory.mktemp("old"), old_claude, **settings) as gateway:
        yield gateway


def fields_of(messages: list[bytes], kind: str) -> list[dict[str, Any]]:
    """The lines of one type."""
    lines = [json.loads(message) for message in messages]
    return [line for line in lines if line["type"] == kind]


@pytest.fixture(scope="module")
def face(
    claude: Path,
    model: model_api.Server,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Gateway]:
    """A gateway that takes a key, and whose CLI gives up at the first error."""
    settings = openai_settings(model)
    with running_gateway(tmp_path_factory.mktemp("face"), claude, **settings) as gateway:
        await_turns(gateway)
        yield gateway


def openai_settings(model: model_api.Server) -> dict[str, str]:
    """What makes a gateway one for these tests."""
    return {
        **without_network(model),
        "ANTHROPIC_API_KEY": "dummy",
        "API_KEYS": API_KEY,
        "CLAUDE_CODE_MAX_RETRIES": "0",
        "KILL_GRACE": "8",
        "SPARES": "0",
    }
