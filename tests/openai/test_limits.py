"""What the model's API refuses for a while, in both chat APIs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import model_api
from tests.support.anthropic_messages import create
from tests.support.completions import ask
from tests.support.gateway import Gateway, running_gateway
from tests.support.real_cli import openai_settings

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def subscribed(
    claude: Path, model: model_api.Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway whose CLI has a subscription's token, and asks again as often as it wants."""
    settings = openai_settings(model)
    # The CLI reads the headers about limits only with such a token.
    del settings["ANTHROPIC_API_KEY"], settings["CLAUDE_CODE_MAX_RETRIES"]
    settings["CLAUDE_CODE_OAUTH_TOKEN"] = "dummy"  # noqa: S105
    with running_gateway(tmp_path_factory.mktemp("subscribed"), claude, **settings) as gateway:
        yield gateway


def test_a_subscriptions_limit_says_when_to_ask_again(subscribed: Gateway) -> None:
    agents = ask(subscribed, "limit: 3600")
    models = create(subscribed, "limit: 3600", stream=True)
    for answer in (agents, models):
        assert answer.status_code == 429, answer.text
        assert 3500 < int(answer.headers["Retry-After"]) <= 3600
    assert agents.json()["error"]["code"] == "rate_limit_exceeded"
    assert models.json()["error"]["type"] == "rate_limit_error"


def test_an_agent_whose_model_is_overloaded_says_so_at_once(
    subscribed: Gateway, model: model_api.Server
) -> None:
    before = len(model.asked)
    said = "fail: 529 overloaded_error Overloaded"
    answers = [
        ask(subscribed, said),
        ask(subscribed, said, stream=True),
        create(subscribed, said, claude={"mode": "agent"}),
    ]
    for answer in answers:
        assert answer.status_code == 529, answer.text
        assert int(answer.headers["Retry-After"]) >= 1
        assert "X-Should-Retry" not in answer.headers
    assert len(model.asked) == before + len(answers)
