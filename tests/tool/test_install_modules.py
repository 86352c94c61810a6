"""What install.sh runs of the gateway's code."""

import http.server
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.state.version import LAYOUT
from tests.support.gateway import ROOT, free_port, write_fake

#: A Python that has the standard library alone.
BARE = (str(Path(sys.base_prefix) / "bin/python3"), "-S")
OURS = (sys.executable,)


def ask(
    module: str, *arguments: str, cwd: Path, python: tuple[str, ...] = BARE, **environ: str
) -> "subprocess.CompletedProcess[str]":
    """Run a module as install.sh does, in a checkout that is linked at `cwd`."""
    if not (cwd / "app").exists():
        (cwd / "app").symlink_to(ROOT / "app")
    return subprocess.run(
        [*python, "-s", "-B", "-m", f"app.tool.install.{module}", *arguments],
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", "HOME": str(cwd), "LANG": "C.UTF-8", **environ},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


# --- The settings ---


@pytest.mark.parametrize(
    ("line", "is_plain"), [("AUTH_PASSWORD=pass", "yes"), ("AUTH_PASSWORD='pass # '", "no")]
)
def test_the_settings_are_printed_one_a_line(tmp_path: Path, line: str, is_plain: str) -> None:
    (tmp_path / ".env").write_text(f"HOST=::\nPORT=9000\nAUTH_USER=me\n{line}\n")
    done = ask("settings", cwd=tmp_path, python=OURS, STATE_DIRECTORY="/srv/state")
    assert done.stdout.split("\n") == [
        *("::", "9000", "me", "/srv/state", "http://[::1]:9000", is_plain),
        *(f"{tmp_path}/.env", ""),
    ]


def test_the_toml_file_has_settings_too(tmp_path: Path) -> None:
    toml, claude = tmp_path / "claudecode2api.toml", write_fake(tmp_path)
    toml.write_text(f'auth_password = "x"\nport = 9000\nclaude_path = "{claude}"\n')
    done = ask("settings", cwd=tmp_path, python=OURS)
    assert done.stdout.split("\n")[1] == "9000"
    assert done.stdout.split("\n")[5:] == ["no", f"{toml}, line 1", ""]
    assert ask("claude", cwd=tmp_path, python=OURS).stdout.startswith(f"{claude}\n")


def test_settings_that_cannot_be_used_are_one_line(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("AUTH_PASSWORD=x\nPORT=many\n")
    done = ask("settings", cwd=tmp_path, python=OURS)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "cannot use PORT: 'many' is not a whole number from 1 to 65535\n"


# --- The CLI ---


def test_the_cli_is_found_without_any_package(tmp_path: Path) -> None:
    claude = write_fake(tmp_path)
    for done in (
        ask("claude", cwd=tmp_path, PATH=f"{claude.parent}:/usr/bin:/bin"),
        ask("claude", str(claude), cwd=tmp_path),
    ):
        path, version, place, end = done.stdout.split("\n")
        assert (path, version, end) == (str(claude), "9.9.9 (Fake Code)", "")
    assert place == "CLAUDE_PATH"


def test_the_cli_of_the_settings_is_found_where_there_are_packages(tmp_path: Path) -> None:
    claude = write_fake(tmp_path)
    (tmp_path / ".env").write_text(f"AUTH_PASSWORD=x\nCLAUDE_PATH={claude}\n")
    done = ask("claude", cwd=tmp_path, python=OURS)
    assert done.stdout.startswith(f"{claude}\n")
    (tmp_path / ".env").write_text("AUTH_PASSWORD=x\nCLAUDE_PATH=/nowhere\n")
    done = ask("claude", cwd=tmp_path, python=OURS)
    assert done.returncode == 1
    assert done.stderr.startswith("cannot find claude; correct CLAUDE_PATH")


def test_before_there_is_an_environment_its_place_is_named(tmp_path: Path) -> None:
    done = ask("claude", cwd=tmp_path)
    assert done.returncode == 1
    assert f"({tmp_path}/venv/lib/python3." in done.stderr


@pytest.mark.parametrize(
    ("printed", "key", "answer"),
    [
        ('{"loggedIn": true}', "", "yes"),
        ('{"loggedIn": false}', "", "no"),
        ("unknown command", "", "unknown"),
        ('{"loggedIn": \'"$ANTHROPIC_API_KEY"\'}', "ANTHROPIC_API_KEY=true\n", "yes"),
    ],
)
def test_the_cli_is_asked_whether_it_is_logged_in_with_the_settings_of_the_service(
    tmp_path: Path, printed: str, key: str, answer: str
) -> None:
    claude = tmp_path / "claude"
    claude.write_text(f"#!/bin/sh\n[ \"$*\" = 'auth status' ] && echo '{printed}'\n")
    claude.chmod(0o755)
    (tmp_path / ".env").write_text(f"AUTH_PASSWORD=x\n{key}")
    done = ask("login", str(claude), cwd=tmp_path, python=OURS)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{answer}\n", "")


# --- The port ---


def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = ask("port", "127.0.0.1", port, cwd=tmp_path)
        assert done.returncode == 1
        assert done.stderr.startswith(
            f"cannot listen on 127.0.0.1, port {port}: the port is in use"
        )
    assert ask("port", "127.0.0.1", str(free_port()), cwd=tmp_path).returncode == 0


# --- The gateway's answer ---


class Health(http.server.BaseHTTPRequestHandler):
    """Answers what `answers` holds, one after the other and the last again and again."""

    answers: list[tuple[int, object]]

    def do_GET(self) -> None:
        status, body = self.answers[0]
        if len(self.answers) > 1:
            self.answers.pop(0)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def server() -> Iterator[http.server.HTTPServer]:
    with http.server.HTTPServer(("127.0.0.1", 0), Health) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "answers",
    [
        [(200, {})],
        [(503, {}), (200, {})],
        [(400, {"code": "host_not_allowed"})],
        [(200, ["not a gateway"])],
    ],
)
def test_the_gateways_answer_is_awaited(
    tmp_path: Path, server: http.server.HTTPServer, answers: list[tuple[int, object]]
) -> None:
    Health.answers = answers
    done = ask("health", f"http://127.0.0.1:{server.server_port}", "30", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(Health.answers) == 1


def test_a_gateway_that_does_not_answer_is_given_up(tmp_path: Path) -> None:
    began = time.monotonic()
    done = ask("health", f"http://127.0.0.1:{free_port()}", "0.5", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    assert time.monotonic() - began < 20


# --- The state ---


def test_the_jobs_that_have_not_ended_are_counted(tmp_path: Path) -> None:
    assert ask("state", str(tmp_path / "none"), cwd=tmp_path).stdout == "0\nno\n"
    state = tmp_path / "state"
    (state / "live").mkdir(parents=True)
    (state / "version").write_text(f"{LAYOUT}\n")
    for name in ("one", "two"):
        (state / "live" / name).touch()
    assert ask("state", str(state), cwd=tmp_path).stdout == "2\nno\n"


@pytest.mark.parametrize(
    ("version", "changes"), [(str(LAYOUT), "no"), (str(LAYOUT + 1), "yes"), ("1", "yes")]
)
def test_another_layout_of_the_state_is_noticed(tmp_path: Path, version: str, changes: str) -> None:
    state = tmp_path / "state"
    (state / "live").mkdir(parents=True)
    (state / "version").write_text(f"{version}\n")
    assert ask("state", str(state), cwd=tmp_path).stdout == f"0\n{changes}\n"


@pytest.mark.parametrize("folder", ["jobs", "jobs/a-job"])
def test_a_folder_of_version_1_0_has_another_layout(tmp_path: Path, folder: str) -> None:
    (tmp_path / "live").mkdir()
    (tmp_path / folder).mkdir(parents=True)
    assert ask("state", str(tmp_path), cwd=tmp_path).stdout == "0\nyes\n"
