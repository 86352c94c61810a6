"""The file .env: how it is read, and which of its lines are refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.auth.secret_strength import is_blank, is_placeholder
from app.settings import Settings
from tests.support.settings import LEAST, PRIVATE, refusal


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
    def read(path: Path, encoding: str) -> str:
        if path.name != ".env":
            raise FileNotFoundError
        return f"AUTH_PASSWORD='{password}'\n"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "read_text", read)
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
