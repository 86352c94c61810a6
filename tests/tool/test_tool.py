"""The command `claudecode2api`: `ps`, `logs`, `cancel`, `serve`, and how it is found and fails."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import requests

from app.settings import Settings
from app.tool.client import Client
from app.tool.main import COMMANDS
from app.tool.parser import build_parser
from tests.support.gateway import ROOT, Gateway, eventually, free_port, write_fake
from tests.support.tool import POWERLESS, Tool


@pytest.fixture
def ended(gateway: Gateway) -> Iterator[str]:
    """The id of a job that has ended."""
    done = gateway.chat("say Hello", "line {}", "result ok").done()
    yield str(done["process_id"])


def test_ps_lists_what_runs(gateway: Gateway, tool: Tool) -> None:
    assert tool.run("ps").stderr == b"no job runs (--all shows those that ran)\n"
    job_id = gateway.chat("silent", model="opus", title="a\x1b[31m\ntitle" + "!" * 100).job_id
    head, row = tool.run("ps").stdout.decode().splitlines()
    assert head.split() == ["ID", "STATUS", "STARTED", "MODEL", "USER", "FOLDER", "TITLE"]
    cells = re.split("  +", row)
    assert cells[:2] == [job_id[:8], "running"]
    title = "a\ufffd[31m\ufffdtitle" + "!" * 48
    assert cells[3:] == ["opus", "admin", str(gateway.project), title]


def test_ps_all_lists_what_ran_too(gateway: Gateway, tool: Tool, ended: str) -> None:
    rows = tool.run("ps", "--all").stdout.decode().splitlines()
    assert rows[1].startswith(f"{ended[:8]}  succeeded")


def test_a_folder_of_any_name_is_one_row(gateway: Gateway, tool: Tool) -> None:
    odd = tool.folder / "a\n\x1b[2J"
    odd.mkdir()
    gateway.chat("silent", cwd=str(odd))
    assert len(tool.run("ps").stdout.splitlines()) == 2
    assert b"\x1b" not in tool.run("ps").stdout


def test_logs_of_an_ended_job(gateway: Gateway, tool: Tool, ended: str) -> None:
    done = tool.run("logs", ended[:8])
    assert (done.returncode, done.stdout) == (0, b"Hello\n")
    raw = tool.run("logs", "--raw", ended.upper()).stdout
    assert raw == (gateway.state / "jobs" / ended / "output").read_bytes()


def test_logs_of_a_running_job_are_what_it_has_said_so_far(gateway: Gateway, tool: Tool) -> None:
    stream = gateway.chat("lines 100000", "silent")
    done = tool.run("logs", "--raw", stream.job_id)
    assert done.stdout.count(b"\n") == 100_000
    assert done.stderr == b"the job runs on: claudecode2api logs --follow %b\n" % (
        stream.job_id[:8].encode()
    )
    assert gateway.running()


def test_following_goes_on_to_the_end_and_tells_it(gateway: Gateway, tool: Tool) -> None:
    flag = tool.folder / "flag"
    stream = gateway.chat("say one", f"await {flag}", "say two", "exit 3")
    with tool.start("logs", "--follow", stream.job_id) as logs:
        assert logs.stdout is not None
        assert logs.stdout.readline() == b"one\n"
        flag.touch()
        assert logs.communicate()[0] == b"two\n"
    assert logs.returncode == 1


def test_who_leaves_the_logs_leaves_the_job(gateway: Gateway, tool: Tool) -> None:
    stream = gateway.chat("say one", "silent")
    with tool.start("logs", "--follow", stream.job_id) as logs:
        assert logs.stdout is not None
        logs.stdout.readline()
        logs.send_signal(signal.SIGINT)
        assert logs.wait(5) == 130
    assert gateway.running()


def test_a_stream_that_breaks_anywhere_is_put_together(gateway: Gateway, tool: Tool) -> None:
    stream = gateway.chat("lines 2000", "big 200000", "lines 100", "result ok")
    output = b"\n".join(stream.messages()) + b"\n"
    with CuttingProxy(gateway.port, 70_001) as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        # It never comes whole through this one, so it must be put together from 70 kB at a time.
        with tool.start("logs", "--url", url, "--raw", "--follow", stream.job_id) as logs:
            assert logs.stdout is not None
            told = logs.stdout.read(len(b"".join(output.partition(b"line 1999\n")[:2])))
            eventually(lambda: proxy.cuts > 5)
            proxy.most = 1 << 30
            told += logs.communicate()[0]
    assert told == output
    assert logs.returncode == 0


def test_cancel_ends_a_job_by_the_beginning_of_its_id(gateway: Gateway, tool: Tool) -> None:
    stream = gateway.chat("child", "silent")
    stream.next()
    done = tool.run("cancel", stream.job_id[:8])
    assert done.returncode == 0
    assert done.stdout.startswith(f"cancelled job {stream.job_id}: ".encode())
    assert stream.done()["status"] == "cancelled"
    again = tool.run("cancel", stream.job_id)
    assert again.returncode == 1
    assert b"it has ended already (cancelled)" in again.stderr


@pytest.mark.parametrize("command", ["logs", "cancel"])
@pytest.mark.parametrize(
    "given", ["zzz", "", "../x", "00000000-0000-4000-8000-000000000000", "fffffffffffe"]
)
def test_a_job_that_is_not_there(tool: Tool, command: str, given: str) -> None:
    done = tool.run(command, given)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr


def test_an_id_that_fits_many_is_refused(gateway: Gateway, tool: Tool) -> None:
    ids: list[str] = []
    while len({job_id[0] for job_id in ids}) == len(ids):
        ids.append(gateway.chat("result ok").done()["process_id"])
    done = tool.run("logs", ids[-1][0])
    assert done.returncode == 1
    assert b"is ambiguous; type more of it" in done.stderr


def test_it_runs_from_anywhere_and_through_links(tool: Tool, tmp_path: Path) -> None:
    hostile = tmp_path / "hostile"
    hostile.mkdir()
    for name in ("app.py", "json.py", "requests.py", "sitecustomize.py"):
        (hostile / name).write_text("raise SystemExit('taken in')\n", encoding="utf-8")
    link, second = tmp_path / "link", tmp_path / "second"
    link.symlink_to(tool.program)
    second.symlink_to("link")
    tool.project = hostile
    done = tool.run("ps", program=second, PYTHONPATH=str(hostile))
    assert (done.returncode, done.stderr[:11]) == (0, b"no job runs")


def test_without_its_packages_it_says_what_to_do(tool: Tool) -> None:
    (tool.folder / "venv").unlink()
    done = tool.run("ps")
    assert done.returncode == 78
    assert done.stderr.startswith(f"cannot find {tool.folder}/venv/bin/python: run ".encode())


def test_the_environment_wins_over_the_file(tool: Tool) -> None:
    done = tool.run("ps", AUTH_PASSWORD="another one")  # noqa: S106 - wrong on purpose
    assert done.returncode == 1
    assert done.stderr.startswith(b"cannot sign in as admin: Invalid credentials; ")


def test_a_gateway_that_does_not_run(tool: Tool) -> None:
    done = tool.run("ps", PORT=str(free_port()))
    assert done.returncode == 69
    assert b"Connection refused; start it" in done.stderr


def test_settings_that_cannot_be_used(tool: Tool) -> None:
    done = tool.configure(AUTH_PASSWORD="changeme").run("ps")  # noqa: S106 - refused
    assert done.returncode == 78
    assert done.stderr.startswith(b"cannot use AUTH_PASSWORD: it is still the placeholder")


@pytest.mark.parametrize(
    ("fields", "said"),
    [(["--cwd", "/nowhere"], b"Directory does not exist"), (["--timeout", "-1"], b"timeout: ")],
)
def test_what_the_gateway_refuses_is_told_in_its_words(
    tool: Tool, fields: list[str], said: bytes
) -> None:
    done = tool.run("run", *fields, "hello")
    assert done.returncode == 1
    assert done.stderr.startswith(b"the gateway refuses this: " + said)


@pytest.mark.parametrize(
    ("status", "kind", "body"),
    [
        (404, "text/html", b"<html>"),
        (404, "application/json", b'{"error": "no"}'),
        (200, "application/json", b"[]"),
        (200, "text/html", b"<html>"),
        (302, "text/html", b""),
    ],
)
def test_what_is_no_gateway_is_told_apart(tool: Tool, status: int, kind: str, body: bytes) -> None:
    with Other(status, kind, body) as other:
        for arguments in (["ps"], ["run", "hello"]):
            done = tool.run(*arguments, "--url", other.url)
            assert done.returncode == 1
            assert b"is not this gateway" in done.stderr


def test_a_proxy_whose_gateway_is_away(tool: Tool) -> None:
    with Other(502, "text/html", b"<html>") as other:
        done = tool.run("ps", "--url", other.url)
    assert done.returncode == 69
    assert b"cannot reach the gateway behind http://127.0.0.1:" in done.stderr


@pytest.mark.parametrize("url", ["gateway", "ftp://x", "http://", "http://a b"])
def test_an_address_that_is_none(tool: Tool, url: str) -> None:
    done = tool.run("ps", "--url", url)
    assert done.returncode in (1, 69)
    assert done.stderr.startswith(b"cannot ")


def test_proxies_of_the_environment_are_not_asked_for_this_machine(tool: Tool) -> None:
    assert tool.run("ps", http_proxy="http://127.0.0.1:1", ALL_PROXY="socks5://x").returncode == 0


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:9876"),
        ("0.0.0.0", "http://127.0.0.1:9876"),  # noqa: S104 - what is tested
        ("::", "http://[::1]:9876"),
        ("fd00::1", "http://[fd00::1]:9876"),
        ("gateway.lan", "http://gateway.lan:9876"),
    ],
)
def test_where_the_gateway_is_reached(host: str, url: str) -> None:
    assert Client(Settings.load({"AUTH_PASSWORD": "x", "HOST": host})).url == url


def test_a_gateway_with_names_of_its_own_is_called_by_one(tool: Tool) -> None:
    with Other(200, "application/json", b'{"processes": []}') as other:
        names = "gateway.example,other.example"
        assert tool.run("ps", PORT=other.url.rsplit(":", 1)[1], ALLOWED_HOSTS=names).returncode == 0
    assert other.heard["Host"] == "gateway.example"


@pytest.mark.root
def test_another_users_settings(tool: Tool) -> None:
    os.chown(tool.env_file, 65534, 65534)
    whose = "it is nobody's alone; run this as nobody (sudo -u nobody claudecode2api …)"
    for more, status, said in (
        ({}, 78, f"cannot read {tool.env_file}, which has the password: {whose}, or set"),
        ({"AUTH_PASSWORD": "x", "PORT": "1"}, 69, "cannot reach the gateway at "),
    ):
        done = subprocess.run(
            [*POWERLESS, tool.program, "ps"],
            env=tool.environment(**more),
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr[: len(said)]) == (status, said)


def test_serve_is_the_gateway_in_the_foreground(tool: Tool, tmp_path: Path) -> None:
    port = str(free_port())
    tool.configure(
        AUTH_PASSWORD="x",  # noqa: S106 - nobody's
        PORT=port,
        CLAUDE_PATH=str(write_fake(tmp_path)),
        STATE_DIR=str(tmp_path / "state"),
    )
    with tool.start("serve", stderr=subprocess.DEVNULL) as served:
        try:
            eventually(lambda: tool.run("ps").returncode == 0)
            assert Path(f"/proc/{served.pid}/cwd").readlink() == tool.folder
        finally:
            served.send_signal(signal.SIGINT)
        assert served.wait(20) == 0


def test_serve_takes_no_settings_that_cannot_be_used(tool: Tool) -> None:
    done = tool.configure().run("serve")
    assert done.returncode == 78
    assert done.stderr.startswith(b"cannot use AUTH_PASSWORD: it is not set")


def test_every_command_has_help_with_examples(tool: Tool) -> None:
    assert tool.run().returncode == 2
    whole = tool.run("--help").stdout.decode()
    for name in COMMANDS:
        assert f"\n    {name} " in whole
        told = tool.run(name, "--help").stdout.decode()
        assert f"claudecode2api {name}" in told.partition("examples:")[2]
        assert all(len(line) <= 100 for line in told.splitlines())


def test_examples_of_the_help_are_understood() -> None:
    text = build_parser().format_help()
    for line in re.findall(r"^  claudecode2api (.*)$", text, re.MULTILINE):
        build_parser().parse_args(re.findall(r'"[^"]*"|\S+', line))


def test_requests_is_a_requirement_of_the_gateway_itself() -> None:
    pinned = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert f"requests=={requests.__version__}" in pinned


class Other:
    """A server that is not the gateway, and answers everything alike."""

    def __init__(self, status: int, kind: str, body: bytes) -> None:
        self.heard: dict[str, str] = {}

        class Handler(BaseHTTPRequestHandler):
            def do_GET(this) -> None:
                self.heard = dict(this.headers)
                this.rfile.read(int(this.headers.get("Content-Length", 0)))
                this.send_response(status)
                this.send_header("Content-Type", kind)
                this.end_headers()
                this.wfile.write(body)

            do_POST = do_GET

            def log_message(this, *_: object) -> None:
                """Keep quiet."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "Other":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class CuttingProxy:
    """Passes connections on to a port, and cuts each after `most` bytes of the answer."""

    def __init__(self, port: int, most: int) -> None:
        self.most = most
        self.cuts = 0
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> "CuttingProxy":
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._pass_on, args=(client,))
            self._threads.append(thread)
            thread.start()

    def _pass_on(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._to)) as server:
            server.sendall(client.recv(65536))
            left = self.most
            while left > 0 and (received := server.recv(min(left, 4096))):
                client.sendall(received)
                left -= len(received)
            self.cuts += left <= 0


@pytest.mark.skipif(os.geteuid() != 0, reason="it is root that refuses")
@pytest.mark.parametrize("what", ["app", "venv", "the folder above", "a file"])
def test_root_runs_nothing_that_others_can_write(tool: Tool, tmp_path: Path, what: str) -> None:
    ours = tool.folder / "app"
    ours.unlink()
    shutil.copytree(ROOT / "app", ours)
    ran = tmp_path / "ran"
    (ours / "tool/main.py").write_text(f"def main(_):\n    open({str(ran)!r}, 'w')\n")
    path = {
        "app": ours,
        "venv": tool.folder / "own-venv",
        "the folder above": tool.folder,
        "a file": ours / "tool/main.py",
    }[what]
    if what == "venv":
        (path / "bin").mkdir(parents=True)
        (path / "bin/python").symlink_to(sys.executable)
        (tool.folder / "venv").unlink()
        (tool.folder / "venv").symlink_to(path)
    tool.run("ps")
    assert ran.exists()
    ran.unlink()
    for change in (lambda: path.chmod(0o777), lambda: os.chown(path, 65534, 65534)):
        mode = path.stat().st_mode
        change()
        done = tool.run("ps")
        assert done.returncode == 78
        assert f"others can write {path}, and so choose what root would run" in done.stderr.decode()
        assert not ran.exists()
        path.chmod(mode)


@pytest.mark.skipif(os.geteuid() != 0, reason="it is root that refuses")
def test_root_starts_no_gateway_and_no_cli_that_another_user_chooses(
    tool: Tool, tmp_path: Path
) -> None:
    claude = tmp_path / "claude"
    claude.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran; echo 1.0\n")
    claude.chmod(0o755)
    tool.configure(AUTH_PASSWORD="a password", CLAUDE_PATH=str(claude))  # noqa: S106
    os.chown(tool.env_file, 65534, 65534)
    done = tool.run("serve")
    assert done.returncode == 78
    assert b"root must not run what nobody chooses" in done.stderr
    rows = {row["name"]: row for row in json.loads(tool.run("doctor", "--json").stdout)["checks"]}
    assert rows["claude"]["status"] == rows["login"]["status"] == "skipped"
    assert not (tmp_path / "ran").exists()
