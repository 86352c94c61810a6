"""`claudecode2api config`: the settings in effect, their origins, and no secret."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from app.setting_sources import SECRET_FILES
from app.settings import setting_names
from tests.support.settings import PRIVATE
from tests.support.tool import Tool

Shown = dict[str, dict[str, Any]]


@pytest.fixture
def alone(tmp_path: Path) -> Tool:
    """The command of a checkout without a gateway, with settings in each source."""
    tool = Tool(tmp_path / "checkout", tmp_path)
    keys = tmp_path / "keys"
    keys.write_text(f"ci:{PRIVATE}\n")
    (tool.folder / "claudecode2api.toml").write_text(
        f'workers = 3\n\ncwd_roots = [\n  "/",\n]\nheartbeat = 0.5\napi_keys_file = "{keys}"\n'
    )
    return tool.configure(AUTH_PASSWORD=PRIVATE, PORT="9000", HTTPS_PROXY=f"http://{PRIVATE}@p:1")


def shown_by(tool: Tool, part: str = "settings", **more: str) -> Shown:
    """What `config --json` prints, by name."""
    done = tool.run("config", "--json", **more)
    assert (done.returncode, done.stderr) == (0, b"")
    assert PRIVATE not in done.stdout.decode()
    return {each.pop("name"): each for each in json.loads(done.stdout)[part]}


def test_each_setting_is_shown_with_its_origin(alone: Tool, tmp_path: Path) -> None:
    shown = shown_by(alone, LOG_LEVEL="debug")
    assert set(shown) == setting_names() - set(SECRET_FILES)
    toml = str(alone.folder / "claudecode2api.toml")
    env_file = str(alone.env_file)
    for name, value, origin, file, line in (
        ("LOG_LEVEL", "DEBUG", "environment", None, None),
        ("PORT", 9000, "env_file", env_file, None),
        ("AUTH_PASSWORD", "***", "env_file", env_file, None),
        ("WORKERS", 3, "toml", toml, 1),
        ("CWD_ROOTS", ["/"], "toml", toml, 3),
        ("HEARTBEAT", 0.5, "toml", toml, 6),
        ("API_KEYS", "***", "secret_file", str(tmp_path / "keys"), None),
        ("SHARED_JOBS", False, "default", None, None),
        ("CLAUDE_PATH", None, "default", None, None),
        ("KILL_GRACE", 8, "default", None, None),
    ):
        expected = {"value": value, "origin": origin, "file": file, "line": line}
        assert shown[name].items() >= expected.items()
    defaults = {name: shown[name]["default"] for name in ("PORT", "AUTH_PASSWORD", "CWD_ROOTS")}
    assert defaults == {"PORT": 9876, "AUTH_PASSWORD": None, "CWD_ROOTS": []}
    assert shown["MAX_JOBS"]["value"] > 0


def test_the_clis_variables_are_shown_without_their_values(alone: Tool, tmp_path: Path) -> None:
    key = str(tmp_path / "keys")
    variables = shown_by(alone, "variables", ANTHROPIC_API_KEY_FILE=key)
    assert {name: (each["value"], each["file"]) for name, each in variables.items()} == {
        "HTTPS_PROXY": ("***", str(alone.env_file)),
        "ANTHROPIC_API_KEY": ("***", key),
    }


def test_the_table_is_for_people(alone: Tool) -> None:
    text = alone.run("config").stdout.decode()
    assert PRIVATE not in text
    rows = [re.split("  +", line) for line in text.splitlines()]
    assert rows[0] == ["SETTING", "FROM", "VALUE"]
    assert ["PORT", str(alone.env_file), "9000"] in rows
    assert ["CWD_ROOTS", f"{alone.folder}/claudecode2api.toml, line 3", "/"] in rows
    assert ["SHARED_JOBS", "default", "false"] in rows
    assert ["AUTH_PASSWORD", str(alone.env_file), "***"] in rows
    assert rows[-1] == ["HTTPS_PROXY", str(alone.env_file), "***"]


def test_settings_that_cannot_be_used_are_one_sentence(alone: Tool) -> None:
    done = alone.run("config", PORT="many")
    assert (done.returncode, done.stdout) == (78, b"")
    assert done.stderr == b"cannot use PORT: 'many' is not a whole number from 1 to 65535\n"


def test_another_file_of_settings_can_be_named(alone: Tool, tmp_path: Path) -> None:
    other = tmp_path / "other/settings"
    other.parent.mkdir()
    other.write_text(f"AUTH_PASSWORD={PRIVATE}\nPORT=9001\n")
    (other.parent / "claudecode2api.toml").write_text('host = "::1"\n')
    shown = shown_by(alone, CLAUDECODE2API_ENV_FILE=str(other))
    assert (shown["PORT"]["value"], shown["HOST"]["value"]) == (9001, "::1")
