"""What a request asks of the CLI's process, by the operator's settings and what the CLI can do."""

from typing import Any

import pytest

from app.cli.capabilities import ALL, FLAGS, Capabilities, missing
from app.cli.request_fields import ChatRequest, read_fields
from app.cli.supported_fields import check_supported
from app.cli.turn_options import TurnDefaults, TurnOptions, turn_options
from app.errors import CapabilitiesUnknown, UnsupportedField

DEFAULTS = TurnDefaults(ask_timeout=600, keep_alive=0, max_keep_alive=3600)
#: What 2.1.197 can do.
OLD = ALL - {"turns", "spares", "restricted"}
VERSION = "2.1.197 (Claude Code)"
LEAST = {"prompt": "hi", "cwd": "/"}
SESSION = "f9645fec-cdad-4505-8f73-2b22a415a890"


def options(
    fields: dict[str, Any], capabilities: Capabilities = ALL, **defaults: float
) -> TurnOptions:
    """The options of a request."""
    request = read_fields({**LEAST, **fields})
    return turn_options(request, DEFAULTS._replace(**defaults), capabilities, VERSION)


def test_by_default_the_process_ends_with_its_job_and_is_not_spoken_with() -> None:
    assert options({}) == TurnOptions(False, 600, 0, None, talks=False)


@pytest.mark.parametrize(
    ("fields", "defaults", "seconds"),
    [
        ({}, {"keep_alive": 300}, 300),
        ({"keep_alive": 0}, {"keep_alive": 300}, 0),
        ({"keep_alive": "5m"}, {}, 300),
        ({"keep_alive": 3601}, {}, 3600),
        ({"keep_alive": -1}, {}, 3600),
        ({"keep_alive": 60}, {"max_keep_alive": 0}, 0),
        ({"keep_alive": -1}, {"max_keep_alive": 0}, 0),
        ({}, {"keep_alive": 300, "max_keep_alive": 60}, 60),
        # The next job could not continue a session that is not saved.
        ({"session_persistence": False}, {"keep_alive": 300}, 0),
    ],
)
def test_the_process_stays_as_long_as_request_and_operator_allow(
    fields: dict[str, Any], defaults: dict[str, float], seconds: float
) -> None:
    found = options(fields, **defaults)
    assert (found.keep_alive, found.talks) == (seconds, seconds > 0)


@pytest.mark.parametrize("capabilities", [None, frozenset(), OLD])
def test_a_cli_that_cannot_stay_ends_with_its_job(capabilities: Capabilities) -> None:
    found = options({"keep_alive": "5m"}, capabilities)
    assert found == TurnOptions(False, 600, 0, None, talks=False)
    assert options({"background_wait": 5}, capabilities).background_wait == 5


def test_a_process_with_a_budget_serves_no_further_job() -> None:
    found = options({"keep_alive": "5m", "max_budget_usd": 1})
    assert found == TurnOptions(False, 600, 0, None, talks=True)


def test_who_asks_is_spoken_with() -> None:
    assert options({"ask": True}) == TurnOptions(True, 600, 0, None, talks=True)
    assert options({"ask": True, "ask_timeout": 2.5}).ask_timeout == 2.5
    assert options({"ask": False, "ask_timeout": 5}).talks is False


def test_questions_to_a_cli_that_is_not_known_yet_can_be_sent_again() -> None:
    with pytest.raises(CapabilitiesUnknown) as refused:
        options({"ask": True}, None)
    assert (refused.value.status, refused.value.headers()) == (503, {"Retry-After": "5"})


@pytest.mark.parametrize("capabilities", [frozenset({"ask"}), OLD])
def test_questions_to_a_cli_that_cannot_ask_are_refused(capabilities: Capabilities) -> None:
    with pytest.raises(UnsupportedField) as refused:
        options({"ask": True}, capabilities)
    assert (refused.value.status, refused.value.param) == (400, "ask")
    assert VERSION in str(refused.value.detail)


SET: dict[str, Any] = {
    "max_turns": 1,
    "max_budget_usd": 1,
    "effort": "low",
    "include_partial_messages": True,
    "include_hook_events": True,
    "agent": "a",
    "name": "n",
    "new_session_id": SESSION,
    "resume_session_at": SESSION,
    "session_persistence": False,
    "setting_sources": [],
    "restricted": True,
    "betas": ["b"],
    "disable_slash_commands": True,
    "ask": True,
}
UNSET: dict[str, Any] = {
    "include_partial_messages": False,
    "include_hook_events": False,
    "agent": "",
    "name": "",
    "new_session_id": "",
    "resume_session_at": "",
    "session_persistence": True,
    "restricted": False,
    "disable_slash_commands": False,
    "ask": False,
}


def test_the_table_above_has_every_field_that_a_cli_may_lack() -> None:
    assert set(SET) == set(FLAGS) <= set(ChatRequest.model_fields)


@pytest.mark.parametrize("field", SET)
def test_a_field_that_the_cli_lacks_is_refused_by_name(field: str) -> None:
    request = read_fields({**LEAST, "session_id": SESSION, "fork_session": True, field: SET[field]})
    check_supported(request, ALL, VERSION)
    check_supported(request, None, VERSION)
    check_supported(request, frozenset({field}), VERSION)
    with pytest.raises(UnsupportedField) as refused:
        check_supported(request, ALL - {field}, VERSION)
    assert refused.value.param == field
    assert VERSION in str(refused.value.detail)


@pytest.mark.parametrize("field", sorted(UNSET))
def test_a_field_that_needs_no_flag_is_accepted(field: str) -> None:
    check_supported(read_fields({**LEAST, field: UNSET[field]}), frozenset(), VERSION)


def test_what_a_cli_lacks_is_listed() -> None:
    assert missing(OLD) == ["restricted", "spares", "turns"]
    assert missing(ALL) == []
