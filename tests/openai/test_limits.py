"""What the model's API says about a limit of the account, in both chat APIs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import model_api
from tests.support.anthropic_messages import create
from tests.support.completions import ask
from tests.support.gateway import Gateway
from tests.support.real_cli import openai_settings

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


def test_a_subscriptions_limit_says_when_to_ask_again(
    claude: Path, model: model_api.Server, start_gateway: Callable[..., Gateway]
) -> None:
    settings = openai_settings(model)
    # The CLI reads the headers about limits only with a subscription's token.
    del settings["ANTHROPIC_API_KEY"]
    gateway = start_gateway(claude, **settings, CLAUDE_CODE_OAUTH_TOKEN="dummy")  # noqa: S106
    agents = ask(gateway, "limit: 3600")
    models = create(gateway, "limit: 3600", stream=True)
    for answer in (agents, models):
        assert answer.status_code == 429, answer.text
        assert 3500 < int(answer.headers["Retry-After"]) <= 3600
    assert agents.json()["error"]["code"] == "rate_limit_exceeded"
    assert models.json()["error"]["type"] == "rate_limit_error"


def test_an_agent_whose_model_is_overloaded_says_so_at_once(
    claude: Path, model: model_api.Server, start_gateway: Callable[..., Gateway]
) -> None:
    settings = openai_settings(model)
    del settings["CLAUDE_CODE_MAX_RETRIES"]
    gateway = start_gateway(claude, **settings)
    before = len(model.asked)
    said = "fail: 529 overloaded_error Overloaded"
    answers = [
        ask(gateway, said),
        ask(gateway, said, stream=True),
        create(gateway, said, claude={"mode": "agent"}),
    ]
    for answer in answers:
        assert answer.status_code == 529, answer.text
        assert int(answer.headers["Retry-After"]) >= 1
        assert "X-Should-Retry" not in answer.headers
    assert len(model.asked) == before + len(answers)
