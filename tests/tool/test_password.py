"""`claudecode2api password`: a new password, and nothing else changes."""

import io
import os
import subprocess
from pathlib import Path

import pytest
from dotenv.parser import Binding, parse_stream
from hypothesis import assume, given
from hypothesis import strategies as st

from app.settings import Settings
from app.tool.env_file import with_setting
from tests.support.tool import POWERLESS, Tool, serving

TEXT = """\
# Mine.
PORT=9000

export AUTH_PASSWORD='the old # one'   # of last year
OTHER="two
lines"
LAST=x"""


@pytest.fixture
def alone(tmp_path: Path) -> Tool:
    """The command of a checkout without a gateway."""
    return Tool(tmp_path / "checkout", tmp_path)


def password_of(tool: Tool) -> str:
    """The password that the gateway would read."""
    return Settings.load({}, tool.env_file).auth_password


def test_only_the_password_changes(alone: Tool) -> None:
    alone.env_file.write_text(TEXT, encoding="utf-8")
    alone.env_file.chmod(0o600)
    done = alone.run("password", "--print")
    new = done.stdout.decode().strip()
    assert len(new) == 32 and set(new) <= set("-_") | {c for c in new if c.isalnum()}
    old = "export AUTH_PASSWORD='the old # one'   # of last year"
    assert alone.env_file.read_text(encoding="utf-8") == TEXT.replace(old, f"AUTH_PASSWORD={new}")
    assert password_of(alone) == new
    assert alone.env_file.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in alone.folder.glob(".env*")) == [".env", ".env.example"]


def test_it_is_not_shown_unless_asked_for(alone: Tool) -> None:
    done = alone.configure(AUTH_PASSWORD="old").run("password")  # noqa: S106 - nobody's
    assert done.stdout == b""
    assert password_of(alone) not in done.stderr.decode()
    assert str(alone.env_file) in done.stderr.decode()
    assert b"no gateway runs here now" in done.stderr


def test_without_a_file_it_is_made_from_the_example(alone: Tool) -> None:
    assert alone.run("password").returncode == 0
    assert len(password_of(alone)) == 32
    assert alone.env_file.stat().st_mode & 0o777 == 0o600
    example = (alone.folder / ".env.example").read_text(encoding="utf-8")
    made = alone.env_file.read_text(encoding="utf-8")
    assert made == example.replace("your-secure-password", password_of(alone))


def test_a_linked_file_stays_a_link(alone: Tool, tmp_path: Path) -> None:
    real = tmp_path / "settings"
    real.write_text("AUTH_PASSWORD=old\r\nPORT=1\r\n", encoding="utf-8", newline="")
    alone.env_file.symlink_to(real)
    assert alone.run("password").returncode == 0
    assert alone.env_file.is_symlink()
    assert real.read_bytes() == f"AUTH_PASSWORD={password_of(alone)}\r\nPORT=1\r\n".encode()


def test_a_file_that_cannot_be_read_stays_as_it_is(alone: Tool) -> None:
    alone.env_file.write_text("AUTH_PASSWORD='x\n", encoding="utf-8")
    done = alone.run("password")
    assert done.returncode == 78
    assert b"line 1: write NAME=value" in done.stderr
    assert alone.env_file.read_text(encoding="utf-8") == "AUTH_PASSWORD='x\n"


def test_a_password_of_the_environment_is_reported(alone: Tool) -> None:
    done = alone.run("password", AUTH_PASSWORD="wins")  # noqa: S106 - nobody's
    assert b"also set in the environment" in done.stderr


@pytest.mark.root
def test_another_users_file_stays_as_it_is(alone: Tool) -> None:
    alone.configure(AUTH_PASSWORD="old")  # noqa: S106 - nobody's
    os.chown(alone.env_file, 65534, 65534)
    done = subprocess.run(
        [*POWERLESS, alone.program, "password"],
        env=alone.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 78
    assert "only nobody can use it; run this as nobody" in done.stderr
    assert password_of(alone) == "old"


@pytest.mark.root
def test_the_file_of_another_user_stays_theirs_when_root_changes_it(alone: Tool) -> None:
    alone.configure(AUTH_PASSWORD="old")  # noqa: S106 - nobody's
    os.chown(alone.env_file, 65534, 65534)
    assert alone.run("password").returncode == 0
    assert (alone.env_file.stat().st_uid, alone.env_file.stat().st_gid) == (65534, 65534)


def test_the_gateway_takes_it_when_it_is_reloaded_as_it_says(
    alone: Tool, fake_claude: Path
) -> None:
    with serving(alone, fake_claude):
        printed = alone.run("password").stderr.decode()
        assert alone.run("ps").stderr.startswith(b"cannot sign in as admin")
        assert printed.endswith(f": {alone.program} reload\n")
        assert alone.run("reload").returncode == 0
        assert alone.run("ps").returncode == 0


@given(st.text(st.sampled_from("AB_=PASWORDUTH'\"# \n\r\tx\\"), max_size=60))
def test_whatever_the_text_all_other_settings_stay(text: str) -> None:
    def read(whole: str) -> list[Binding]:
        return list(parse_stream(io.StringIO(whole, newline="")))

    def others(bindings: list[Binding]) -> list[tuple[str | None, str | None]]:
        return [
            (each.key, each.value) for each in bindings if each.key not in (None, "AUTH_PASSWORD")
        ]

    before = read(text)
    assume(not any(each.error for each in before))
    after = read(with_setting(text, "AUTH_PASSWORD", "new"))
    assert others(after) == others(before)
    assert "new" in [each.value for each in after if each.key == "AUTH_PASSWORD"]


def test_a_password_that_is_in_a_file_of_its_own_is_changed_there(
    alone: Tool, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a password\n")
    alone.configure(AUTH_PASSWORD_FILE=str(secret))
    before = alone.env_file.read_bytes()
    done = alone.run("password")
    assert (done.returncode, done.stdout) == (78, b"")
    assert f"cannot change AUTH_PASSWORD: it is in {secret}".encode() in done.stderr
    assert (alone.env_file.read_bytes(), secret.read_text()) == (before, "a password\n")


def test_a_password_can_be_printed_alone(alone: Tool, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a password\n")
    alone.configure(AUTH_PASSWORD_FILE=str(secret))
    before = alone.env_file.read_bytes()
    refused = alone.run("password").stderr.decode()
    assert "(claudecode2api password --no-write prints one)" in refused
    done = alone.run("password", "--no-write")
    assert (done.returncode, len(done.stdout)) == (0, 33)
    assert f"write it to {secret}, " in done.stderr.decode()
    assert (alone.env_file.read_bytes(), secret.read_text()) == (before, "a password\n")


def test_in_a_container_it_is_only_printed(alone: Tool) -> None:
    # As in the image, which has no .env and no example of one.
    (alone.folder / ".env.example").unlink()
    refused = alone.run("password")
    assert (refused.returncode, refused.stdout) == (78, b"")
    assert b"a container has no .env; claudecode2api password --no-write" in refused.stderr
    assert len(alone.run("password", "--no-write").stdout) == 33
    assert not alone.env_file.exists()
