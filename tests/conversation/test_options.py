"""The options of a request, in its body, headers and prompt."""

from typing import Any

import pytest

from app.conversation import options
from app.errors import InvalidRequest


def test_options_in_headers() -> None:
    headers = {
        "X-Claude-Cwd": "/srv/\u00c3\u00a4",
        "x-claude-allowed-tools": "Read, Bash(git log, git diff)",
        "X-Claude-Events": "true",
        "X-Claude-Timeout": "5",
        "Accept": "x",
    }
    found = options.from_headers(headers.items())
    assert found == {
        "cwd": "/srv/ä",
        "allowed_tools": ["Read", "Bash(git log, git diff)"],
        "events": True,
        "timeout": 5.0,
    }


@pytest.mark.parametrize(
    ("found", "fields"),
    [
        ({"dangerously_skip_permissions": True}, {"permission_mode": "bypassPermissions"}),
        ({"dangerously_skip_permissions": False}, {"permission_mode": "default"}),
        (
            {"dangerously_skip_permissions": True, "permission_mode": "plan"},
            {"permission_mode": "plan"},
        ),
        ({"allowed_tools": ["a"], "mcp_allowed_tools": ["b"]}, {"allowed_tools": ["a", "b"]}),
    ],
)
def test_other_names_for_fields(found: dict[str, Any], fields: dict[str, Any]) -> None:
    assert options.resolve(found, "").fields == fields


@pytest.mark.parametrize(
    "found",
    [
        {"mcp_allowed_tools": "a"},
        {"dangerously_skip_permissions": "yes"},
        {"system": "x"},
        {"events": 1},
        {"workspace": 1},
        {"mode": "both"},
        {"workspace": "a", "cwd": "/"},
    ],
)
def test_options_of_the_wrong_type_are_refused(found: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        options.resolve(found, "claude")


def test_an_unknown_option_is_refused_with_the_nearest() -> None:
    with pytest.raises(InvalidRequest) as refused:
        options.from_json({"alowed-tools": []}, "claude")
    assert "did you mean 'allowed_tools'" in str(refused.value.detail)


@pytest.mark.parametrize("text", ["", "\n", "x=1\nhello", "hello\nworkspace=a", "= = ="])
def test_a_text_without_options_stays_as_it_is(text: str) -> None:
    assert options.from_prompt(text) == ({}, text)
