"""Secrets in files of their own: AUTH_PASSWORD_FILE, API_KEYS_FILE, ANTHROPIC_API_KEY_FILE."""

import os
from pathlib import Path

import pytest

from app.secret_file import LARGEST
from app.settings import Settings, load_with_origins
from tests.support.settings import LEAST, PRIVATE, refusal

NAMES = ("AUTH_PASSWORD_FILE", "API_KEYS_FILE", "ANTHROPIC_API_KEY_FILE")


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file with a secret."""
    path = tmp_path / "secret"
    path.write_text(f"{PRIVATE}\n")
    return path


def least_without(name: str) -> dict[str, str]:
    """The least settings, but for what this file has."""
    return {"HOME": "/h"} if name == "AUTH_PASSWORD_FILE" else dict(LEAST)


@pytest.mark.parametrize(
    ("content", "password"),
    [
        ("pass word \n", "pass word "),
        ("pass\r\n", "pass"),
        (" päss\n", " päss"),
        ("pass", "pass"),
    ],
)
def test_the_newline_at_the_end_is_dropped(secret: Path, content: str, password: str) -> None:
    secret.write_bytes(content.encode())
    assert Settings.load({"AUTH_PASSWORD_FILE": str(secret)}).auth_password == password


def test_keys_may_be_one_a_line(secret: Path) -> None:
    secret.write_text("ci:a-long-key-of-ci\nweb:a-long-key-of-web,third-key-of-nobody\n")
    keys = Settings.load({**LEAST, "API_KEYS_FILE": str(secret)}).api_keys
    assert [key.name for key in keys] == ["ci", "web", None]


def test_the_clis_key_is_a_variable_of_its_environment(secret: Path) -> None:
    found, origins = load_with_origins({**LEAST, "ANTHROPIC_API_KEY_FILE": str(secret)})
    assert found.environment == {"ANTHROPIC_API_KEY": PRIVATE}
    assert str(origins["ANTHROPIC_API_KEY"]) == str(secret)


@pytest.mark.parametrize("place", ["environment", ".env", "toml"])
@pytest.mark.parametrize("name", NAMES)
def test_a_file_can_be_named_wherever_settings_are(
    env_file: Path, secret: Path, name: str, place: str
) -> None:
    environ = least_without(name)
    if place == "environment":
        environ[name] = str(secret)
    elif place == ".env":
        env_file.write_text(f"{name}={secret}\n")
    else:
        env_file.with_name("claudecode2api.toml").write_text(f'{name.lower()} = "{secret}"\n')
    found = Settings.load(environ, env_file)
    keys = tuple(secret for key in found.api_keys for secret in key.secrets)
    values = (found.auth_password, *keys, *found.environment.values())
    assert PRIVATE in values


@pytest.mark.parametrize("name", NAMES)
def test_a_secret_is_given_once(env_file: Path, secret: Path, name: str) -> None:
    direct = name.removesuffix("_FILE")
    env_file.write_text(f"{direct}=x-{PRIVATE}\n")
    message = refusal({**least_without(name), name: str(secret)}, env_file)
    assert message == (
        f"cannot use {name} of the environment: {direct} is set, too, by {env_file}; remove one of"
        " them"
    )


def test_a_setting_that_compose_leaves_empty_is_not_given(secret: Path) -> None:
    environ = {"AUTH_PASSWORD_FILE": str(secret), "AUTH_PASSWORD": "", "API_KEYS_FILE": ""}
    assert Settings.load(environ).auth_password == PRIVATE


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot read {}: No such file or directory"),
        (b"", "{} is empty"),
        (b" \n", "{} is empty"),
        (b"x\0y", "{} has a NUL character"),
        (b"\xff\xfe", "{} is not UTF-8"),
        (b"x" * (LARGEST + 1), "{} has more than 65536 bytes"),
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_cannot_be_used_is_one_sentence(
    secret: Path, name: str, content: bytes | None, reason: str
) -> None:
    if content is None:
        secret.unlink()
    else:
        secret.write_bytes(content)
    message = refusal({**least_without(name), name: str(secret)})
    assert message == f"cannot use {name}: {reason.format(repr(str(secret)))}"


@pytest.mark.parametrize("name", ["AUTH_PASSWORD_FILE", "ANTHROPIC_API_KEY_FILE"])
def test_a_secret_is_one_line(secret: Path, name: str) -> None:
    secret.write_text(f"{PRIVATE}\nmore\n")
    message = refusal({**least_without(name), name: str(secret)})
    assert message == f"cannot use {name}: {str(secret)!r} has more than one line"


def test_a_password_file_is_held_to_what_a_password_must_be(secret: Path) -> None:
    secret.write_text("changeme\n")
    message = refusal({"AUTH_PASSWORD_FILE": str(secret)})
    assert message.startswith(f"cannot use AUTH_PASSWORD in {secret}: it is still the placeholder")


def test_only_files_with_a_full_path_are_read(tmp_path: Path, secret: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/null")):
        assert "is not a file" in refusal({**LEAST, "API_KEYS_FILE": str(path)})
    assert refusal({**LEAST, "API_KEYS_FILE": str(tmp_path)}).endswith(": Is a directory")
    assert "is not an absolute path" in refusal({**LEAST, "API_KEYS_FILE": secret.name})
