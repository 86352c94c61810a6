"""The settings of similar gateways get a hint at the setting to use here."""

from pathlib import Path

import pytest

from app.errors import ConfigurationError
from app.foreign_settings import _INSTEAD as INSTEAD
from app.settings import Settings, setting_names
from tests.support.pages import page
from tests.test_startup import load

GIVEN = [
    ("API_KEY", "secret-secret-secret", "API_KEYS"),
    ("LITELLM_MASTER_KEY", "sk-1234", "API_KEYS (keys have at least 16 characters)"),
    ("CLAUDE_TOTAL_TIMEOUT_MS", "7200000", "JOB_TIMEOUT=7200 (in seconds)"),
    ("CLAUDE_INACTIVITY_TIMEOUT_MS", "600000", "JOB_IDLE_TIMEOUT=600 (in seconds)"),
    ("PROCESS_KILL_TIMEOUT_MS", "2500", "KILL_GRACE=2.5 (in seconds)"),
    ("MCP_CONFIG_PATH", "../mcp-config.json", "MCP_CONFIG"),
    ("WORKSPACE_BASE_PATH", "/tmp/workspaces", "WORKSPACES"),  # noqa: S108 - not used
    ("CLAUDE_CODE__SERVER__PORT", "8080", "PORT"),
    ("CLAUDE_CODE__CLAUDE__TIMEOUT_SECONDS", "300", "JOB_TIMEOUT=300 (in seconds)"),
]


@pytest.mark.parametrize(("name", "value", "meant"), GIVEN)
def test_such_a_setting_in_env_is_refused_with_the_right_name_and_unit(
    name: str, value: str, meant: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load(tmp_path, f"{name}={value}")
    assert f"{name} (did you mean {meant}?)" in str(refused.value)
    # It may be a secret.
    assert "secret-" not in str(refused.value)


def test_all_of_a_file_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load(tmp_path, "CLAUDE_CODE__MCP__DEBUG=true", "API_KEY=x", "CLAUDE_CODE__NEW=1", "A=1")
    assert str(refused.value) == (
        "cannot use in .env what another gateway reads: API_KEY (did you mean API_KEYS?),"
        " CLAUDE_CODE__MCP__DEBUG (remove it: requests have debug),"
        " CLAUDE_CODE__NEW (there is no such setting; see docs/coming-from.md)"
    )


@pytest.mark.parametrize(("name", "value", "meant"), GIVEN)
def test_such_a_variable_of_the_environment_is_warned_of(
    name: str, value: str, meant: str, tmp_path: Path
) -> None:
    found = load(tmp_path, "DEFAULT_PERMISSION_MODE=plan")
    (warning,) = found.warnings({name: value})
    assert warning == f"the variable {name} has no effect here: did you mean {meant}?"


def test_such_a_name_in_the_toml_file_is_refused_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "claudecode2api.toml").write_text("process_kill_timeout_ms = 5000\n")
    with pytest.raises(ConfigurationError, match=r"line 1: .*did you mean KILL_GRACE"):
        Settings.load({"AUTH_PASSWORD": "pass-word"}, tmp_path / ".env")


def test_every_hint_is_at_a_setting_and_on_the_page() -> None:
    text = page("docs/coming-from.md").text
    for name, instead in INSTEAD.items():
        assert instead.setting is None or instead.setting in setting_names()
        assert f"`{name}" in text, name
