"""What the operator may set, where it is read from, and what is refused by name."""

import os
import re
from dataclasses import fields
from hashlib import sha256
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.auth.secret_strength import is_blank, is_placeholder
from app.errors import ConfigurationError
from app.machine import job_capacity
from app.settings import Settings, setting_names

PRIVATE = "s3cret-0123456789"
LEAST = {"AUTH_PASSWORD": PRIVATE, "HOME": "/home/someone"}
EXAMPLE = Path(__file__).parent.parent / ".env.example"


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    """Where `.env` may be written."""
    return tmp_path / ".env"


def refusal(environ: dict[str, str], file: Path | None = None) -> str:
    """The one plain line that these settings are refused with."""
    with pytest.raises(ConfigurationError) as refused:
        Settings.load(environ, file)
    message = str(refused.value)
    assert message.startswith("cannot ")
    assert len(message.splitlines()) == 1
    return message


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
    "state_dir": Path("/home/someone/.local/state/claudecode2api"),
    "default_model": "sonnet",
    "default_permission_mode": "",
    "max_body": 32 << 20,
    "heartbeat": 15.0,
    "kill_grace": 8.0,
    "max_jobs": job_capacity(),
    "queue_size": 100,
    "job_timeout": 3600.0,
    "job_idle_timeout": 0.0,
    "job_retention": 86400.0,
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
    "prompt_options": False,
    "mcp_config": None,
    "environment": {},
}


def test_a_password_is_enough_and_the_rest_has_defaults() -> None:
    found = Settings.load(LEAST)
    assert {field.name: getattr(found, field.name) for field in fields(found)} == DEFAULTS


def test_each_setting_is_a_field_of_the_same_name() -> None:
    assert {name.lower() for name in setting_names()} == set(DEFAULTS) - {"environment"}


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
        ("WORKSPACES", "work"),
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


def test_the_environment_wins_over_the_file(env_file: Path) -> None:
    env_file.write_text("AUTH_PASSWORD=from-the-file\nPORT=1111\nWORKERS=3\n")
    found = Settings.load({"HOME": "/h", "PORT": "2222", "AUTH_PASSWORD": PRIVATE}, env_file)
    assert (found.port, found.workers, found.auth_password) == (2222, 3, PRIVATE)


def test_an_empty_variable_of_the_environment_wins_too(env_file: Path) -> None:
    env_file.write_text(f"AUTH_PASSWORD={PRIVATE}\n")
    assert "AUTH_PASSWORD" in refusal({"AUTH_PASSWORD": ""}, env_file)


def test_a_file_that_is_missing_says_nothing(env_file: Path) -> None:
    assert Settings.load(LEAST, env_file) == Settings.load(LEAST)


def test_a_file_that_cannot_be_read_is_refused(env_file: Path) -> None:
    env_file.mkdir()
    assert str(env_file) in refusal(LEAST, env_file)


def test_a_file_that_is_not_utf8_is_refused_without_its_text(env_file: Path) -> None:
    env_file.write_bytes(f"AUTH_PASSWORD={PRIVATE}".encode() + b"\xff\n")
    message = refusal(LEAST, env_file)
    assert str(env_file) in message
    assert PRIVATE not in message


@pytest.mark.parametrize(
    ("written", "password"),
    [
        ("AUTH_PASSWORD=plain", "plain"),
        ("AUTH_PASSWORD = spaced ", "spaced"),
        ("export AUTH_PASSWORD=exported", "exported"),
        ("AUTH_PASSWORD=a:b:c", "a:b:c"),
        ("AUTH_PASSWORD=a$HOME${PATH}", "a$HOME${PATH}"),
        ("AUTH_PASSWORD='$HOME'", "$HOME"),
        ('AUTH_PASSWORD="${HOME}"', "${HOME}"),
        ("AUTH_PASSWORD=a#b", "a#b"),
        ("AUTH_PASSWORD=a # a comment", "a"),
        ("AUTH_PASSWORD='a # b'", "a # b"),
        ('AUTH_PASSWORD="a # b"', "a # b"),
        ("AUTH_PASSWORD='  spaces  '", "  spaces  "),
        ("AUTH_PASSWORD='say \"hi\"'", 'say "hi"'),
        ("AUTH_PASSWORD=back\\slash", "back\\slash"),
        ("AUTH_PASSWORD='pass=word'", "pass=word"),
        ("AUTH_PASSWORD=pässwörd\u2028", "pässwörd\u2028".strip()),
        ("AUTH_PASSWORD=dos\r", "dos"),
        ("AUTH_PASSWORD=first\nAUTH_PASSWORD=last", "last"),
        ("\ufeffAUTH_PASSWORD=bom", "bom"),
        ("# AUTH_PASSWORD=no\n\n  AUTH_PASSWORD=yes", "yes"),
    ],
)
def test_a_value_of_the_file_is_taken_literally(
    written: str, password: str, env_file: Path
) -> None:
    env_file.write_bytes(f"{written}\n".encode())
    found = Settings.load({"HOME": "/h", "PATH": "/bin"}, env_file)
    assert found.auth_password == password


SINGLE_QUOTED = st.text(
    st.characters(codec="utf-8", exclude_characters="'\\\r\0"), min_size=1
).filter(lambda text: not is_blank(text) and not is_placeholder(text))


@given(SINGLE_QUOTED)
def test_anything_between_single_quotes_is_the_password(password: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "read_text", lambda *_, **__: f"AUTH_PASSWORD='{password}'\n")
        found = Settings.load({"HOME": "/h"}, Path(".env"))
    assert found.auth_password == password


def test_what_else_is_in_the_file_is_the_clis_environment(env_file: Path) -> None:
    env_file.write_text(
        f"ANTHROPIC_API_KEY={PRIVATE}\nPORT=1234\nexport http_proxy=http://p:3128\nEMPTY=\n"
    )
    found = Settings.load({**LEAST, "OTHER": "not from the file"}, env_file)
    assert found.environment == {
        "ANTHROPIC_API_KEY": PRIVATE,
        "http_proxy": "http://p:3128",
        "EMPTY": "",
    }


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("AUTH_PASWORD", "AUTH_PASSWORD"),
        ("AUTH-PASSWORD", "AUTH_PASSWORD"),
        ("auth_password", "AUTH_PASSWORD"),
        ("Api_Keys", "API_KEYS"),
        ("API_KEY", "API_KEYS"),
        ("CLAUDEPATH", "CLAUDE_PATH"),
        ("ALLOWED_HOST", "ALLOWED_HOSTS"),
        ("CORS_ORIGIN", "CORS_ORIGINS"),
        ("CWD_ROOT", "CWD_ROOTS"),
        ("DEFAULT_PERMISION_MODE", "DEFAULT_PERMISSION_MODE"),
        ("FORWARDED_ALLOW_IP", "FORWARDED_ALLOW_IPS"),
    ],
)
def test_a_mistyped_setting_is_refused_and_not_handed_to_every_job(
    name: str, meant: str, env_file: Path
) -> None:
    env_file.write_text(f"{name}={PRIVATE}\n")
    message = refusal(LEAST, env_file)
    assert name in message
    assert meant in message
    assert PRIVATE not in message


@pytest.mark.parametrize(
    "name", ["ANTHROPIC_API_KEY", "ANTHROPIC_MODEL", "CLAUDE_CONFIG_DIR", "HTTPS_PROXY", "PATH"]
)
def test_names_that_are_the_clis_are_no_mistyped_settings(name: str, env_file: Path) -> None:
    env_file.write_text(f"{name}=x\n")
    assert Settings.load(LEAST, env_file).environment == {name: "x"}


@pytest.mark.parametrize(
    ("written", "line"),
    [
        (f"{PRIVATE} {PRIVATE}\n", 1),
        (f"A=1\nAUTH_PASSWORD='{PRIVATE}\n", 2),
        (f'AUTH_PASSWORD="{PRIVATE}\nB=2\n', 1),
        (f"A=1\nAUTH_PASSWORD='it's {PRIVATE}'\n", 2),
        (f"A=1\n={PRIVATE}\n", 2),
        (f"A=1\nB=2\nAUTH_PASSWORD: {PRIVATE}\n", 3),
        (f"A=1\n{PRIVATE.upper()}\nB=2\n", 2),
        (f"A='two\nlines'\n{PRIVATE} {PRIVATE}\n", 3),
        (f"A=1\n\n\n{PRIVATE} {PRIVATE}\n", 4),
        (f"# a comment\n\n# another\nAUTH_PASSWORD='{PRIVATE}\n", 4),
        (f"A=1\n\nAUTH_PASSWORD {PRIVATE}\n", 3),
    ],
)
def test_a_line_that_is_no_setting_is_named_by_its_number_and_not_repeated(
    written: str, line: int, env_file: Path
) -> None:
    env_file.write_text(written)
    message = refusal(LEAST, env_file)
    assert f"{env_file}, line {line}:" in message
    assert PRIVATE.lower() not in message.lower()


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


def test_roots_are_told_without_links(tmp_path: Path) -> None:
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
