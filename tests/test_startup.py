"""What the gateway starts with, and what it warns of."""

import base64
import os
from pathlib import Path

import pytest

from app.errors import ConfigurationError
from app.startup import Startup
from tests.support.gateway import write_fake


def load(tmp_path: Path, *lines: str, **environ: str) -> Startup:
    """The startup of a gateway whose `.env` has these lines, with the fake CLI."""
    claude = write_fake(tmp_path)
    env_file = tmp_path / ".env"
    env_file.write_text("\n".join(["AUTH_PASSWORD=pass-word", f"CLAUDE_PATH={claude}", *lines]))
    return Startup.load({"PATH": os.defpath, "HOME": str(tmp_path), **environ}, env_file)


def test_what_follows_from_the_settings_is_worked_out_once(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        "MAX_JOBS=3",
        "QUEUE_SIZE=5",
        "MIN_FREE_DISK=7",
        "RUNS_MEMORY=11",
        "OWN_TURNS=2",
        "A=1",
        WORKERS="4",
    )
    assert found.capacity == (3, 5, 7, 11, 2)
    assert found.claude.version == "9.9.9 (Fake Code)"
    assert found.environment == {"A": "1", "PATH": os.defpath, "HOME": str(tmp_path)}
    assert found.settings.workers == 4
    assert found.users.operator.name == "admin"


def test_settings_that_cannot_be_used_raise_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot use PORT"):
        load(tmp_path, "PORT=many")


def test_every_secret_is_known_in_each_of_its_forms(tmp_path: Path) -> None:
    found = load(
        tmp_path, "API_KEYS=alice:a-longer-key-of-alices", "ANTHROPIC_API_KEY=sk-1", "OTHER=2"
    )
    basic = base64.b64encode(b"admin:pass-word").decode()
    assert {"pass-word", basic, "a-longer-key-of-alices", "sk-1"} <= set(found.secrets())
    assert "2" not in found.secrets()


@pytest.mark.parametrize("networks", ["*", "0.0.0.0/1,128.0.0.0/1", "::/0"])
def test_a_proxy_that_is_everybody_is_warned_of(tmp_path: Path, networks: str) -> None:
    found = load(tmp_path, f"FORWARDED_ALLOW_IPS={networks}", "DEFAULT_PERMISSION_MODE=plan")
    (warning,) = found.warnings({})
    assert warning.startswith("FORWARDED_ALLOW_IPS lets every client choose")


def test_what_a_session_of_the_cli_has_left_is_named(tmp_path: Path) -> None:
    found = load(tmp_path, "DEFAULT_PERMISSION_MODE=plan", "CLAUDE_CODE_SESSION_ID=meant")
    environ = {"CLAUDECODE": "1", "CLAUDE_CODE_SESSION_ID": "x", "CLAUDE_CODE_USE_BEDROCK": "1"}
    (warning,) = found.warnings(environ)
    assert warning.endswith("into .env): CLAUDECODE")


def test_usual_settings_are_not_warned_of(tmp_path: Path) -> None:
    found = load(tmp_path, "FORWARDED_ALLOW_IPS=10.0.0.0/8", "DEFAULT_PERMISSION_MODE=plan")
    assert list(found.warnings({"HOME": "/"})) == []
