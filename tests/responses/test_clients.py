"""Real clients of the Responses API at the gateway, with the real CLI."""

import pytest

from tests.support.clients import PROGRAMS, errors_of_stories, stories_in
from tests.support.clients import run_client_of_both as run
from tests.support.gateway import Gateway

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

SDK = PROGRAMS / "responses_sdk.py"


@pytest.fixture(scope="module")
def errors(face: Gateway, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    """What went wrong in each of the SDK's stories."""
    return errors_of_stories(run, face, tmp_path_factory.mktemp("home"), SDK)


@pytest.mark.parametrize("story", stories_in(SDK))
def test_the_python_sdk(errors: dict[str, str | None], story: str) -> None:
    assert errors[story] is None, errors[story]
