"""scripts/container with stand-ins for Docker, Podman and curl: what it does before a container."""

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tests.support.gateway import ROOT

# The programs that the script needs, but no engine.
_PROGRAMS = (
    *("bash", "cat", "chmod", "dirname", "grep", "mkdir", "od", "readlink", "sed", "sleep", "stat"),
    "tr",
)
_UID, _GID = os.geteuid(), os.getegid()
_ENGINE = """\
#!/bin/sh
echo "${0##*/} $*" >>"$LOG"
case "$1 $2" in
    "version ") [ -z "$DEAD" ] || [ "${0##*/}" != "$DEAD" ] || { echo "no daemon" >&2; exit 1; } ;;
    "container inspect") [ "$3" = "$RUNNING" ] ;;
    "image inspect") [ -z "$NO_IMAGE" ] ;;
    "run "*) echo 0123 ;;
esac
"""
_CURL = """\
#!/bin/sh
echo '{"status":"ok","logged_in":'"$LOGGED_IN"'}'
"""


class Script:
    """A copy of scripts/container, on a machine with these engines."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.log = folder / "log"
        self.bin.mkdir()
        (folder / "scripts").mkdir()
        shutil.copy(ROOT / "scripts/container", folder / "scripts")
        for name in _PROGRAMS:
            found = shutil.which(name)
            assert found, name
            (self.bin / name).symlink_to(found)
        self._program("curl", _CURL)

    def install(self, *engines: str) -> "Script":
        """Put engines on the machine."""
        for engine in engines:
            self._program(engine, _ENGINE)
        return self

    def _program(self, name: str, text: str) -> None:
        (self.bin / name).write_text(text, encoding="utf-8")
        (self.bin / name).chmod(0o755)

    def __call__(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run it; the log has what the engines were asked."""
        self.log.write_text("", encoding="utf-8")
        environment = {"LOGGED_IN": "true", "LOG": str(self.log), "PATH": str(self.bin)}
        return subprocess.run(
            [self.bin / "bash", self.folder / "scripts/container", *arguments],
            env={**environment, **variables},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def succeed(self, *arguments: str, **variables: str) -> str:
        """What it prints; it must succeed."""
        done = self(*arguments, **variables)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def refuse(self, *arguments: str, **variables: str) -> str:
        """The one sentence that it prints; it must fail, and start nothing."""
        done = self(*arguments, **variables)
        assert done.returncode == 1
        assert self.started() is None
        assert done.stderr.count("\n") == 1
        return done.stderr.strip()

    def started(self) -> str | None:
        """How a container was started, if one was."""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return next((line for line in lines if line.split()[1] == "run"), None)

    def write(self, name: str, text: str = "secret", mode: int = 0o640) -> Path:
        """A file in the folder secrets."""
        file = self.folder / "secrets" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(mode)
        return file


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """The script, without an engine."""
    return Script(tmp_path)


def test_without_an_engine_it_names_two(script: Script) -> None:
    assert script.refuse("run").startswith("cannot find docker or podman: install one of them")


def test_docker_is_the_first_choice(script: Script) -> None:
    script.install("docker", "podman").succeed("run")
    assert (script.started() or "").startswith("docker run ")


def test_a_docker_without_its_server_is_passed_over(script: Script) -> None:
    shown = script.install("docker", "podman").succeed("run", DEAD="docker")
    assert "using podman, because docker does not answer (no daemon)\n" in shown
    assert (script.started() or "").startswith("podman run ")


@pytest.mark.parametrize("command", ["build", "login", "logs", "run", "stop"])
def test_an_engine_that_does_not_answer_is_named(script: Script, command: str) -> None:
    shown = script.install("docker").refuse(command, DEAD="docker")
    assert shown.startswith("cannot run containers: docker does not answer (no daemon); start its")


def test_the_engine_that_was_asked_for_is_not_replaced(script: Script) -> None:
    script.install("docker", "podman")
    shown = script.refuse("run", DEAD="docker", CONTAINER_ENGINE="docker")
    assert "docker does not answer" in shown


def test_each_name_has_its_own_password_keys_and_volumes(script: Script) -> None:
    script.install("docker")
    script.write("team-b/api_keys", "anna:" + "k" * 16)
    passwords = {}
    for name, folder in (("claudecode2api", "secrets"), ("team-b", "secrets/team-b")):
        shown = script.succeed("run", NAME=name)
        password = script.folder / folder / "auth_password"
        assert f"made a new password in {password}\n" in shown
        assert f"$(cat {password})" in shown
        passwords[name] = password.read_text(encoding="utf-8")
        started = script.started() or ""
        assert f"{password}:/run/secrets/auth_password:ro" in started
        assert f"{name}-home:/home/claude" in started
        assert ("/run/secrets/api_keys" in started) == (name == "team-b")
    assert len(set(passwords.values())) == 2
    assert all(len(password) == 36 for password in passwords.values())


def test_a_password_that_was_made_is_kept(script: Script) -> None:
    script.install("docker").succeed("run")
    password = script.folder / "secrets/auth_password"
    made = password.read_text(encoding="utf-8")
    assert "made a new password" not in script.succeed("run")
    assert password.read_text(encoding="utf-8") == made


def test_secrets_that_are_there_are_used_without_a_variable(script: Script) -> None:
    script.install("docker")
    script.write("anthropic_api_key")
    script.write("api_keys", text="")
    script.succeed("run")
    started = script.started() or ""
    assert "ANTHROPIC_API_KEY_FILE=/run/secrets/anthropic_api_key" in started
    assert "API_KEYS_FILE=/run/secrets/api_keys" not in started


def test_a_secret_that_is_missing_or_empty_is_refused(script: Script) -> None:
    script.install("docker")
    empty = script.write("empty", "")
    script.write("auth_password")
    shown = script.refuse("run", AUTH_PASSWORD_FILE=str(empty))
    assert shown == f"cannot use AUTH_PASSWORD_FILE={empty}: the file is empty"
    shown = script.refuse("run", API_KEYS_FILE="missing")
    assert shown == "cannot use API_KEYS_FILE=missing: there is no such file"


@pytest.mark.parametrize(
    ("mode", "user", "help_"),
    [
        (0o640, f"{_UID + 1}:{_GID + 1}", "chown" if _UID == 0 else "make a copy"),
        (0o600, f"{_UID + 1}:{_GID}", "chmod g+r"),
        (0o640, f"{_UID + 1}:{_GID}", None),
        (0o604, f"{_UID + 1}:{_GID + 1}", None),
        (0o600, f"{_UID}:{_GID + 1}", None),
        (0o600, "0:0", None),
        (0o600, "a-name", None),
    ],
)
def test_a_secret_that_the_containers_user_cannot_read_is_refused(
    script: Script, mode: int, user: str, help_: str | None
) -> None:
    script.install("docker")
    script.write("auth_password", mode=0o644)
    file = script.write("keys", mode=mode)
    if help_ is None:
        script.succeed("run", API_KEYS_FILE=str(file), CONTAINER_USER=user)
    else:
        shown = script.refuse("run", API_KEYS_FILE=str(file), CONTAINER_USER=user)
        assert shown.startswith(f"cannot use API_KEYS_FILE={file}: the container's user ")
        assert f", cannot read it: {help_} " in shown


def test_a_gateway_without_a_login_has_the_command_for_one(script: Script) -> None:
    script.install("docker")
    assert " Run: " not in script.succeed("run")
    assert " Run: scripts/container login " in script.succeed("run", LOGGED_IN="false")
    shown = script.succeed("run", LOGGED_IN="false", NAME="team-b")
    assert " Run: NAME=team-b scripts/container login " in shown


def test_a_name_in_use_is_refused(script: Script) -> None:
    shown = script.install("docker").refuse("run", NAME="team-b", RUNNING="team-b")
    assert "there is one called team-b: NAME=team-b scripts/container stop" in shown


def test_a_port_in_use_is_refused(script: Script) -> None:
    script.install("docker")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        shown = script.refuse("run", PORT=str(port), NAME="team-b")
    assert f"cannot publish port {port} of 127.0.0.1: it is in use" in shown
    assert f"PORT={port + 1} NAME=team-b scripts/container run" in shown


@pytest.mark.parametrize("command", ["login", "run"])
def test_a_missing_image_is_refused(script: Script, command: str) -> None:
    shown = script.install("docker").refuse(command, NO_IMAGE="1")
    assert shown == "cannot find the image claudecode2api: scripts/container build"
    # A registry may have it.
    script.succeed("run", NO_IMAGE="1", IMAGE="registry.example/claudecode2api")


def test_what_does_not_run_cannot_be_stopped(script: Script) -> None:
    shown = script.install("docker").refuse("stop")
    assert shown == "cannot stop claudecode2api: there is no such container"
