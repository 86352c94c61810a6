"""`claudecode2api key`: a key is shown once, and `.env` has its hash."""

import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

from app.auth.api_keys import hashed
from app.env_file import read_env_file
from app.settings import Settings
from tests.support.terminal import read_all
from tests.support.tool import POWERLESS, Tool, serving

BARE = "key-without-a-name-of-1.0"
SECRET = re.compile("c2a_[0-9a-f]{48}")


@pytest.fixture
def alone(tmp_path: Path) -> Tool:
    """The command of a checkout without a gateway."""
    tool = Tool(tmp_path / "checkout", tmp_path)
    return tool.configure(AUTH_PASSWORD="pass", STATE_DIR=str(tmp_path / "state"))  # noqa: S106


def entries(tool: Tool) -> list[str]:
    """The entries of API_KEYS as they stand in `.env`."""
    found = re.search("^API_KEYS=(.*)$", tool.env_file.read_text(encoding="utf-8"), re.MULTILINE)
    return [entry for entry in found[1].split(",") if entry] if found else []


def names(tool: Tool) -> list[str | None]:
    """The names of the keys that the gateway would read."""
    return [key.name for key in Settings.load({}, tool.env_file).api_keys]


def names_of(path: Path) -> list[str]:
    """The names of the keys in a file that may have no password."""
    return [entry.partition(":")[0] for entry in read_env_file(path)["API_KEYS"].split(",")]


def test_a_key_is_made_and_its_hash_is_written(alone: Tool) -> None:
    before = alone.env_file.read_text(encoding="utf-8")
    done = alone.run("key", "add", "alice", "--print")
    assert done.returncode == 0, done.stderr
    key = done.stdout.decode().strip()
    assert SECRET.fullmatch(key)
    assert entries(alone) == [hashed("alice", key)]
    after = alone.env_file.read_text(encoding="utf-8")
    assert after == f"{before}API_KEYS={hashed('alice', key)}\n"
    assert key not in after and key not in done.stderr.decode()
    assert b"base URL http://127.0.0.1:9876/v1" in done.stderr
    assert b"no gateway runs here now" in done.stderr
    assert alone.env_file.stat().st_mode & 0o777 == 0o600
    other = alone.run("key", "add", "--print", "bob").stdout.decode().strip()
    assert other != key
    assert entries(alone) == [hashed("alice", key), hashed("bob", other)]


def test_it_is_shown_on_a_terminal_alone(alone: Tool) -> None:
    refused = alone.run("key", "add", "alice")
    assert (refused.returncode, refused.stdout) == (2, b"")
    assert b"standard output is not a terminal" in refused.stderr
    assert entries(alone) == []
    master, slave = pty.openpty()
    with alone.start("key", "add", "alice", stdout=slave) as process:
        assert process.wait(20) == 0
    os.close(slave)
    shown = read_all(master).decode()
    os.close(master)
    assert SECRET.fullmatch(shown.strip())
    assert entries(alone) == [hashed("alice", shown.strip())]


def test_keys_are_listed_by_name_and_never_shown(alone: Tool) -> None:
    alone.configure(AUTH_PASSWORD="pass", API_KEYS=f"{BARE},alice:a-key-of-alices-own")  # noqa: S106
    alone.run("key", "add", "--print", "bob")
    done = alone.run("key", "list")
    assert done.stdout == b"key-1\tkey in .env\nalice\tkey in .env\nbob\thash\n"
    assert BARE not in done.stderr.decode()


def test_a_key_is_removed_and_the_others_stay_as_they_are(alone: Tool) -> None:
    written = f"{BARE},alice:a key of alice's # own,{BARE}"
    quoted = written.replace("'", "\\'")
    alone.env_file.write_text(f"PORT=1\nAPI_KEYS='{quoted}'\r\nAUTH_PASSWORD=pass\n", newline="")
    assert alone.run("key", "remove", "key-1").returncode == 0
    assert Settings.load({}, alone.env_file).api_keys[0].secrets[0] == "a key of alice's # own"
    assert names(alone) == ["alice"]
    text = alone.env_file.read_bytes().decode()
    assert text.startswith("PORT=1\nAPI_KEYS='") and text.endswith("\r\nAUTH_PASSWORD=pass\n")
    assert alone.run("key", "remove", "alice").returncode == 0
    assert names(alone) == []
    done = alone.run("key", "remove", "alice")
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"cannot remove a key called alice: there is none" in done.stderr


@pytest.mark.parametrize(
    ("name", "status", "why"),
    [
        ("alice", 1, "there is one"),
        ("admin", 1, "that is AUTH_USER"),
        ("key-1", 1, "the same name, 'key-1'"),
        ("sha256", 78, "API_KEYS"),
        ("Alice", 2, "must begin with a lower-case letter"),
        ("1st", 2, "begin with a lower-case letter"),
        ("a,b", 2, "32 lower-case letters"),
        ("a" * 33, 2, "at most 32"),
    ],
)
def test_a_name_that_cannot_be_refuses_the_key(
    alone: Tool, name: str, status: int, why: str
) -> None:
    alone.configure(AUTH_PASSWORD="pass", API_KEYS=f"{BARE},alice:a-key-of-alices-own")  # noqa: S106
    before = alone.env_file.read_bytes()
    done = alone.run("key", "add", "--print", name)
    assert (done.returncode, done.stdout) == (status, b"")
    assert why in done.stderr.decode()
    assert alone.env_file.read_bytes() == before


def test_without_a_file_it_is_made_from_the_example(alone: Tool) -> None:
    alone.env_file.unlink()
    done = alone.run("key", "add", "--print", "default")
    assert done.returncode == 0
    assert entries(alone) == [hashed("default", done.stdout.decode().strip())]
    assert "AUTH_PASSWORD=your-secure-password" in alone.env_file.read_text(encoding="utf-8")


def test_a_link_to_a_file_that_is_missing_is_followed_or_named(alone: Tool, tmp_path: Path) -> None:
    alone.env_file.unlink()
    alone.env_file.symlink_to(tmp_path / "elsewhere")
    done = alone.run("key", "add", "--print", "alice")
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr
    assert names_of(tmp_path / "elsewhere") == ["alice"]
    alone.env_file.unlink()
    alone.env_file.symlink_to(tmp_path / "no/such/folder")
    done = alone.run("key", "add", "--print", "alice")
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"cannot write" in done.stderr and b"Traceback" not in done.stderr
    for command in (["key", "list"], ["ps"]):
        assert b"Traceback" not in alone.run(*command).stderr
    assert b"it is a link to" in alone.run("ps").stderr


def test_a_group_that_was_given_the_file_keeps_it(alone: Tool) -> None:
    for before, after in ((0o640, 0o640), (0o644, 0o600)):
        alone.env_file.chmod(before)
        alone.run("key", "add", "--print", f"key{before}")
        assert alone.env_file.stat().st_mode & 0o777 == after


def test_a_file_that_is_read_only_stays_as_it_is(alone: Tool) -> None:
    alone.env_file.chmod(0o400)
    powerless = POWERLESS if os.geteuid() == 0 else []
    done = subprocess.run(
        [*powerless, alone.program, "key", "add", "--print", "alice"],
        env=alone.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (78, "")
    assert f"chmod 600 {alone.env_file}" in done.stderr
    assert entries(alone) == []


def test_keys_of_the_environment_are_reported(alone: Tool) -> None:
    done = alone.run("key", "add", "--print", "alice", API_KEYS="")
    assert b"API_KEYS is also set in the environment" in done.stderr


@pytest.mark.root
def test_another_users_file_stays_as_it_is(alone: Tool) -> None:
    os.chown(alone.env_file, 65534, 65534)
    done = subprocess.run(
        [*POWERLESS, alone.program, "key", "add", "--print", "alice"],
        env=alone.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (78, "")
    assert "only nobody can use it; run this as nobody" in done.stderr
    assert entries(alone) == []


def test_the_gateway_takes_a_key_when_it_is_reloaded_as_it_says(
    alone: Tool, fake_claude: Path
) -> None:
    with serving(alone, fake_claude):
        done = alone.run("key", "add", "--print", "alice")
        key = done.stdout.decode().strip()
        assert done.stderr.decode().endswith(f": {alone.program} reload\n")
        url = re.search("base URL (.*)", done.stderr.decode())
        assert url is not None

        def is_taken() -> bool:
            asked = subprocess.run(
                ["curl", "-sf", "-H", f"Authorization: Bearer {key}", f"{url[1]}/models"],
                capture_output=True,
                check=False,
            )
            return asked.returncode == 0

        assert not is_taken()
        assert alone.run("reload").returncode == 0
        assert is_taken()


def test_keys_that_are_in_another_file_are_changed_there(alone: Tool, tmp_path: Path) -> None:
    toml, secret = alone.folder / "claudecode2api.toml", tmp_path / "keys"
    toml.write_text('host = "::1"\napi_keys = ["ci:a-long-key-of-ci"]\n')
    assert alone.run("key", "list").stdout == b"ci\tkey in claudecode2api.toml\n"
    before = alone.env_file.read_bytes()
    for words in (("add", "--print", "alice"), ("remove", "ci")):
        done = alone.run("key", *words)
        assert (done.returncode, done.stdout) == (78, b"")
        assert f"cannot change API_KEYS: it is in {toml}, line 2; " in done.stderr.decode()
    toml.unlink()
    secret.write_text("ci:a-long-key-of-ci\n")
    assert alone.run("key", "list", API_KEYS_FILE=str(secret)).stdout == b"ci\tkey in keys\n"
    done = alone.run("key", "add", "--print", "alice", API_KEYS_FILE=str(secret))
    assert f"it is in {secret}; change it there" in done.stderr.decode()
    assert alone.env_file.read_bytes() == before


def test_no_key_has_the_operators_name_wherever_that_is_set(alone: Tool) -> None:
    (alone.folder / "claudecode2api.toml").write_text('auth_user = "alice"\n')
    done = alone.run("key", "add", "--print", "alice")
    assert (done.returncode, b"that is AUTH_USER" in done.stderr) == (1, True)


def test_the_entry_can_be_printed_alone(alone: Tool, tmp_path: Path) -> None:
    secret = tmp_path / "keys"
    secret.write_text("ci:a-long-key-of-ci\n")
    before = alone.env_file.read_bytes()
    named = {"API_KEYS_FILE": str(secret)}
    refused = alone.run("key", "add", "--print", "alice", **named)
    assert b"claudecode2api key add NAME --no-write prints the entry for it" in refused.stderr
    done = alone.run("key", "add", "--no-write", "alice", **named)
    key = SECRET.search(done.stderr.decode())
    assert key is not None
    assert (done.returncode, done.stdout.decode()) == (0, f"{hashed('alice', key[0])}\n")
    assert (alone.env_file.read_bytes(), secret.read_text()) == (before, "ci:a-long-key-of-ci\n")
    with secret.open("ab") as file:
        file.write(done.stdout)
    assert alone.run("key", "list", **named).stdout == b"ci\tkey in keys\nalice\thash\n"
    again = alone.run("key", "add", "--no-write", "alice", **named)
    assert (again.returncode, again.stdout) == (1, b"")
    assert b"there is one" in again.stderr


def test_in_a_container_the_entry_is_only_printed(alone: Tool) -> None:
    # As in the image, which has no .env and no example of one.
    alone.env_file.unlink()
    (alone.folder / ".env.example").unlink()
    refused = alone.run("key", "add", "--print", "alice")
    assert (refused.returncode, refused.stdout) == (78, b"")
    assert b"a container has no .env" in refused.stderr and b"--no-write" in refused.stderr
    done = alone.run("key", "add", "--no-write", "alice")
    assert done.stdout.startswith(b"alice:sha256:")
    assert not alone.env_file.exists()
    refused = alone.run("key", "add", "--no-write", "alice", API_KEYS=done.stdout.decode().strip())
    assert b"there is one" in refused.stderr


def test_in_a_container_a_key_is_removed_in_its_file(alone: Tool, tmp_path: Path) -> None:
    alone.env_file.unlink()
    (alone.folder / ".env.example").unlink()
    secret = tmp_path / "api_keys"
    secret.write_text("ci:a-long-key-of-ci\n")
    refused = alone.run("key", "remove", "ci", API_KEYS_FILE=str(secret))
    assert (refused.returncode, refused.stdout) == (78, b"")
    place = f"a container has no .env; change {secret}; then: "
    assert place in refused.stderr.decode()
    assert str(alone.env_file) not in refused.stderr.decode()
