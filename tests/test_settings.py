"""What the operator may set, its defaults, and which values are refused by name."""

import os
import re
from dataclasses import fields
from hashlib import sha256
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from app.machine import job_capacity, memory
from app.setting_sources import SECRET_FILES
from app.settings import Settings, setting_names
from tests.support.settings import LEAST, PRIVATE, refusal

EXAMPLE = Path(__file__).parent.parent / ".env.example"
#: AUTH_USER if it is not set.
LEAST_USER = "admin"
DEFAULTS: dict[str, Any] = {
    "host": "127.0.0.1",
    "port": 9876,
    "workers": 2,
    "auth_user": "admin",
    "auth_password": PRIVATE,
    "api_keys": (),
    "shared_jobs": False,
    "auth_max_failures": 10,
    "forwarded_allow_ips": (),
    "claude_path": None,
    "log_level": "INFO",
    "log_format": "text",
    "metrics_public": False,
    "console": True,
    "state_dir": Path("/home/someone/.local/state/claudecode2api"),
    "default_model": "sonnet",
    "default_permission_mode": "",
    "max_body": 32 << 20,
    "heartbeat": 15.0,
    "head_delay": 50.0,
    "cache": 0.0,
    "kill_grace": 8.0,
    "retry_grace": 10.0,
    "max_jobs": job_capacity(),
    "queue_size": 100,
    "job_timeout": 3600.0,
    "job_idle_timeout": 0.0,
    "job_retention": 86400.0,
    "usage_retention": 34560000.0,
    "response_retention": 2592000.0,
    "ask_timeout": 600.0,
    "keep_alive": 0.0,
    "keep_alive_chat": 300.0,
    "hold_seconds": 120.0,
    "max_held": 4,
    "model_retries": 0,
    "start_retries": 1,
    "max_keep_alive": 3600.0,
    "runs_memory": memory() // 4,
    "spares": int(memory() >= 4_000_000_000),
    "own_turns": 3,
    "background_wait": 30.0,
    "max_job_output": 1 << 30,
    "min_free_disk": 256 << 20,
    "cors_origins": (),
    "allowed_hosts": (),
    "cwd_roots": (),
    "workspaces": None,
    "models": (
        "claude-code",
        "sonnet",
        "opus",
        "haiku",
        "claude-opus-5-5",
        "claude-sonnet-5-5",
        "claude-haiku-5-5",
        "claude-opus-4-8",
        "claude-sonnet-4-6",
        "claude-haiku-4-5",
    ),
    "model_aliases": {},
    "direct_models": (),
    "direct_max": 200,
    "direct_subscription": False,
    "claude_access_token": "",
    "prompt_options": False,
    "chat_mode": "auto",
    "ignore_tools": False,
    "mcp_config": None,
    "env_allowed": (),
    "control_allowed": (),
    "environment": {},
}


def test_a_password_is_enough_and_the_rest_has_defaults() -> None:
    found = Settings.load(LEAST)
    assert {field.name: getattr(found, field.name) for field in fields(found)} == DEFAULTS


def test_each_setting_is_a_field_of_the_same_name() -> None:
    names = {name.lower() for name in setting_names() - set(SECRET_FILES)}
    assert names == set(DEFAULTS) - {"environment"}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("HOST", " 192.0.2.1 ", "192.0.2.1"),
        ("HOST", "::1", "::1"),
        ("PORT", "1", 1),
        ("PORT", " 65535\n", 65535),
        ("WORKERS", "8", 8),
        ("AUTH_USER", "müller", "müller"),
        ("AUTH_USER", " with spaces ", " with spaces "),
        ("AUTH_PASSWORD", "a:b:c", "a:b:c"),
        ("AUTH_PASSWORD", " $HOME #x ", " $HOME #x "),
        ("AUTH_PASSWORD", "pass", "pass"),
        ("SHARED_JOBS", "true", True),
        ("AUTH_MAX_FAILURES", "0", 0),
        (
            "FORWARDED_ALLOW_IPS",
            "127.0.0.1, 10.0.0.0/8,::1",
            (ip_network("127.0.0.1/32"), ip_network("10.0.0.0/8"), ip_network("::1/128")),
        ),
        ("FORWARDED_ALLOW_IPS", "*", (ip_network("0.0.0.0/0"), ip_network("::/0"))),
        ("CLAUDE_PATH", "/opt/claude", "/opt/claude"),
        ("CLAUDE_PATH", "  ", None),
        ("LOG_LEVEL", "debug", "DEBUG"),
        ("WORKSPACES", "/srv/work", Path("/srv/work")),
        ("MODELS", "a, b", ("a", "b")),
        ("MODEL_ALIASES", "gpt-4o = sonnet,o3=opus", {"gpt-4o": "sonnet", "o3": "opus"}),
        ("DIRECT_MODELS", "claude-haiku-*, claude-?-5", ("claude-haiku-*", "claude-?-5")),
        ("PROMPT_OPTIONS", "True", True),
        ("STATE_DIR", "/srv/state", Path("/srv/state")),
        ("DEFAULT_MODEL", "", ""),
        ("DEFAULT_MODEL", "opus", "opus"),
        ("DEFAULT_PERMISSION_MODE", "acceptEdits", "acceptEdits"),
        ("MAX_BODY", "1", 1),
        ("HEARTBEAT", "0.5", 0.5),
        ("KILL_GRACE", "20", 20.0),
        (
            "CORS_ORIGINS",
            "https://A.example, http://b:8080, app://obsidian.md, https://*.example.org, null, *",
            (
                *("https://a.example", "http://b:8080", "app://obsidian.md"),
                *("https://*.example.org", "null", "*"),
            ),
        ),
        ("ENV_ALLOWED", "GIT_SSH_COMMAND, AWS_*,*", ("GIT_SSH_COMMAND", "AWS_*", "*")),
        ("CONTROL_ALLOWED", "side_question, mcp_toggle", ("side_question", "mcp_toggle")),
        ("ASK_TIMEOUT", "1.5", 1.5),
        ("KEEP_ALIVE", "300", 300.0),
        ("MAX_KEEP_ALIVE", "0", 0.0),
        ("BACKGROUND_WAIT", "0", 0.0),
        ("ALLOWED_HOSTS", "Gate.example,localhost", ("gate.example", "localhost")),
        ("CWD_ROOTS", "/", (Path("/"),)),
        ("CWD_ROOTS", "", ()),
    ],
)
def test_a_setting_is_read(name: str, text: str, value: object) -> None:
    assert getattr(Settings.load({**LEAST, name: text}), name.lower()) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("HOST", ""),
        *[
            ("PORT", text)
            for text in ("", "0", "65536", "-1", "80.0", "http", "²", "٣", "9" * 5000)
        ],
        *[("WORKERS", text) for text in ("", "0", "257", "two")],
        *[("AUTH_USER", text) for text in ("", "a:b", "a\nb", "a\x7f")],
        *[
            ("API_KEYS", text)
            for text in (
                "x",
                "changeme",
                "fifteen-letters",
                "alice:fifteen-letters",
                "changeme-changeme",
                "your-secure-password",
                "replace-me-with-a-key",
                "change-this-password-1",
                "alice:sha256:abc",
                f"alice:sha256:{'a' * 65}",
                f"alice:SHA256:{'a' * 64}",
                f"alice:sha-256:{'a' * 64}",
                f"alice:sha512:{'a' * 128}",
                f"alice : sha256 : {'a' * 64}",
                f"alice:sha256:{'g' * 64}",
                f"sha256:{'a' * 64}",
                f"sha256:sha256:{'a' * 64}",
                f"Alice:sha256:{'a' * 64}",
                f":sha256:{'a' * 64}",
                "alice:a-key-of-alices, alice:another-of-alices",
                "alice:a-key-of-alices, bob:a-key-of-alices",
                f"alice:a-key-of-alices, bob:sha256:{sha256(b'a-key-of-alices').hexdigest()}",
                "alice:a-key-of-alices, a-key-of-alices",
                f"{LEAST_USER}:a-key-of-the-users",
            )
        ],
        *[("SHARED_JOBS", text) for text in ("", "yes", "1")],
        *[("AUTH_MAX_FAILURES", text) for text in ("", "-1", "1000001", "many")],
        *[
            ("FORWARDED_ALLOW_IPS", text)
            for text in ("proxy", "10.0.0.1/8", "10.0.0.0/33", "1.2.3")
        ],
        *[("LOG_LEVEL", text) for text in ("", "LOUD", "10")],
        *[("STATE_DIR", text) for text in ("", "state", "./state", "~nobody-of-this-name/state")],
        *[("PROMPT_OPTIONS", text) for text in ("", "yes", "1")],
        ("MODELS", " , "),
        *[("MODEL_ALIASES", text) for text in ("gpt-4o", "=x", "x=", "a=b,a=c")],
        *[("DIRECT_MODELS", text) for text in ("a b", "a=b", "[a]", "é")],
        *[("CLAUDE_ACCESS_TOKEN", text) for text in ("two words", "é", "a\x7f")],
        ("DIRECT_SUBSCRIPTION", "yes"),
        *[("DIRECT_MAX", text) for text in ("0", "many")],
        ("WORKSPACES", "work"),
        *[("ENV_ALLOWED", text) for text in ("A B", "A=1", "*A", "A**", "1A", "A;B")],
        # The gateway itself needs some of them.
        *[("CONTROL_ALLOWED", text) for text in ("Side", "a-b", "*", "a,interrupt", "end_session")],
        *[("ASK_TIMEOUT", text) for text in ("0", "5m", "-1", "inf")],
        *[("KEEP_ALIVE", text) for text in ("-1", "5m", "nan")],
        *[("MAX_KEEP_ALIVE", text) for text in ("-1", "x")],
        *[("BACKGROUND_WAIT", text) for text in ("-1", "x")],
        *[("MCP_CONFIG", text) for text in ("mcp.json", "/no/such/file")],
        ("STATE_DIR", "/srv/a\0b"),
        *[("MAX_BODY", text) for text in ("", "0", "32M", "-1", str((1 << 40) + 1))],
        *[("HEARTBEAT", text) for text in ("", "0", "-1", "nan", "inf", "3601", "15s")],
        *[("KILL_GRACE", text) for text in ("", "0", "0.09", "nan", "601", "soon")],
        *[
            ("CORS_ORIGINS", text)
            for text in (
                "**",
                "example.org",
                "https://a.example/",
                "https://*",
                "https://",
                "a://b c",
            )
        ],
        *[("CWD_ROOTS", text) for text in ("srv", "./", "/no/such/folder", "/dev/null", "/,/nope")],
        ("CWD_ROOTS", "~nobody-of-this-name/x"),
        ("CWD_ROOTS", "/" + "x" * 300),
    ],
    ids=lambda text: text[:30],
)
def test_a_bad_value_is_refused_by_name(name: str, text: str) -> None:
    assert name in refusal({**LEAST, name: text})


@pytest.mark.parametrize(
    "password",
    [
        "",
        "changeme",
        "your-secure-password",
        "ChangeMe",
        "changeme!",
        "change-me-123",
        " ",
        "\u200b",
    ],
)
def test_a_password_that_is_missing_or_a_placeholder_is_refused(
    password: str, env_file: Path
) -> None:
    assert "AUTH_PASSWORD" in refusal({"AUTH_PASSWORD": password})
    env_file.write_text(f"AUTH_PASSWORD={password}\n")
    assert "AUTH_PASSWORD" in refusal({}, env_file)


def test_no_password_at_all_is_refused(env_file: Path) -> None:
    assert "AUTH_PASSWORD" in refusal({})
    assert "AUTH_PASSWORD" in refusal({}, env_file)


@pytest.mark.parametrize("name", ["AUTH_USER", "AUTH_PASSWORD", "API_KEYS"])
def test_credentials_that_are_not_utf8_are_refused_by_name(name: str) -> None:
    undecodable = os.fsdecode(f"{PRIVATE}\xff".encode("latin-1"))
    message = refusal({**LEAST, name: undecodable})
    assert name in message
    assert PRIVATE not in message


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"STATE_DIRECTORY": "/var/lib/gateway"}, "/var/lib/gateway"),
        ({"STATE_DIRECTORY": "/var/lib/one:/var/lib/two"}, "/var/lib/one"),
        ({"STATE_DIRECTORY": ""}, "/home/someone/.local/state/claudecode2api"),
        ({"STATE_DIRECTORY": "/var/lib/gateway", "STATE_DIR": "/srv/mine"}, "/srv/mine"),
    ],
)
def test_the_state_folder_is_systemds_unless_it_is_set(
    environ: dict[str, str], expected: str
) -> None:
    assert Settings.load({**LEAST, **environ}).state_dir == Path(expected)


def test_a_tilde_is_the_home_of_who_runs_the_gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    found = Settings.load({**LEAST, "STATE_DIR": "~/state", "CWD_ROOTS": "~"})
    assert found.state_dir == tmp_path / "state"
    assert found.cwd_roots == (tmp_path.resolve(),)


def test_roots_are_shown_without_links(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    found = Settings.load({**LEAST, "CWD_ROOTS": f"{tmp_path}/link,{tmp_path}"})
    assert found.cwd_roots == ((tmp_path / "real").resolve(), tmp_path.resolve())


def test_settings_do_not_print_their_values() -> None:
    found = Settings.load({**LEAST, "API_KEYS": f"a-longer-key-{PRIVATE}"})
    assert PRIVATE not in repr(found)
    assert PRIVATE not in f"{found}"


def test_settings_are_frozen() -> None:
    with pytest.raises(AttributeError):
        Settings.load(LEAST).port = 1  # type: ignore[misc]


_WRITTEN = re.compile(r"^(?:# ?)?([A-Z][A-Z0-9_]*)=(.*)$", re.MULTILINE)


def test_every_name_of_the_example_is_a_setting_and_every_setting_is_in_it_once() -> None:
    names = [match[1] for match in _WRITTEN.finditer(EXAMPLE.read_text(encoding="utf-8"))]
    assert sorted(names) == sorted(setting_names())


def test_every_setting_of_the_example_has_a_description_of_its_own() -> None:
    blocks = EXAMPLE.read_text(encoding="utf-8").split("\n\n")
    for block in blocks:
        names = _WRITTEN.findall(block)
        assert len(names) <= 1, block
        if names:
            assert block.startswith("# ") and not _WRITTEN.match(block), block
            assert block.rstrip("\n").split("\n")[-2].endswith("."), block


def test_the_example_holds_the_defaults(
    env_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    environ = {"HOME": str(tmp_path), "AUTH_PASSWORD": PRIVATE}
    text = EXAMPLE.read_text(encoding="utf-8")
    env_file.write_text(_WRITTEN.sub(r"\1=\2", text), encoding="utf-8")
    assert Settings.load(environ, env_file) == Settings.load(environ)


def test_the_example_as_it_is_is_refused_for_its_password(env_file: Path) -> None:
    env_file.write_bytes(EXAMPLE.read_bytes())
    message = refusal({"HOME": "/h"}, env_file)
    assert "AUTH_PASSWORD" in message
    assert "placeholder" in message
