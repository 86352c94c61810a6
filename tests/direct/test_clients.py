"""Real clients whose requests the direct backend serves."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import model_api
from tests.support.clients import PROGRAMS, errors_of_stories, run_claude_code
from tests.support.clients import run_client_of_both as run
from tests.support.gateway import Gateway, running_gateway
from tests.support.real_cli import openai_settings

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

#: The stories that are not about the CLI, or about answers that the stand-in gives to it alone.
STORIES = {
    "anthropic_sdk.py": (
        "a_message_is_what_the_sdk_says",
        "a_stream_adds_up_to_the_message",
        "a_round_of_tools_with_thinking_ends_in_an_answer",
        "the_tool_runner_runs_a_tool",
        "each_error_has_its_class",
        "a_failure_in_a_stream_is_raised",
    ),
    "openai_sdk.py": (
        "a_stream_comes_in_pieces",
        "the_streaming_helper_works",
        "a_stream_that_cannot_begin_has_a_status",
        "a_conversation_goes_on_by_itself",
    ),
}


@pytest.fixture(scope="module")
def served(
    claude: Path, model: model_api.Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway that has the stand-in answer without the CLI."""
    settings = {
        **openai_settings(model),
        "DIRECT_MODELS": "claude-*",
        "MODEL_ALIASES": "sonnet=claude-sonnet-5-5",
        "MODELS": "sonnet",
    }
    with running_gateway(tmp_path_factory.mktemp("served"), claude, **settings) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def errors(served: Gateway, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    """What went wrong in each story."""
    homes = tmp_path_factory.mktemp("homes")
    found: dict[str, str | None] = {}
    for program, stories in STORIES.items():
        home = homes / program
        home.mkdir()
        found |= errors_of_stories(run, served, home, PROGRAMS / program, *stories)
    return found


@pytest.mark.parametrize("story", [story for stories in STORIES.values() for story in stories])
def test_the_sdks(errors: dict[str, str | None], story: str) -> None:
    assert errors[story] is None, errors[story]


def test_claude_code_is_a_client(
    served: Gateway, claude: Path, model: model_api.Server, tmp_path: Path
) -> None:
    run_claude_code(run, served, claude, tmp_path, "claude-sonnet-5-5")
    # Its own words arrive as it has sent them.
    assert any("Claude Code" in json.dumps(asked.get("system")) for asked in model.asked)
    newest, *_ = served.ask("GET", "/jobs").json()["jobs"]
    assert newest["status"] == "succeeded" and newest["cwd"] == ""
