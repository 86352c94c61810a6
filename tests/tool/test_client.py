"""How the command reaches the gateway, and what it reports where it cannot."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from app.settings import Settings
from app.tool.client import Client
from tests.support.gateway import free_port
from tests.support.tool import Tool


def test_the_environment_wins_over_the_file(tool: Tool) -> None:
    done = tool.run("ps", AUTH_PASSWORD="another one")  # noqa: S106 - wrong on purpose
    assert done.returncode == 1
    assert done.stderr.startswith(b"cannot sign in as admin: Invalid credentials; ")


def test_a_gateway_that_does_not_run(tool: Tool) -> None:
    done = tool.run("ps", PORT=str(free_port()))
    command = tool.folder / "scripts/claudecode2api"
    assert done.returncode == 69
    message = done.stderr.decode()
    assert f": Connection refused; start it ({command} serve, or install a service" in message
    assert message.endswith(f"; {command} doctor finds out more\n")


def test_settings_that_cannot_be_used(tool: Tool) -> None:
    done = tool.configure(AUTH_PASSWORD="changeme").run("ps")  # noqa: S106 - refused
    assert done.returncode == 78
    assert done.stderr.startswith(b"cannot use AUTH_PASSWORD: it is still the placeholder")


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [(["--cwd", "/nowhere"], b"Directory does not exist"), (["--timeout", "-1"], b"timeout: ")],
)
def test_what_the_gateway_refuses_is_printed_in_its_words(
    tool: Tool, fields: list[str], complaint: bytes
) -> None:
    done = tool.run("run", *fields, "hello")
    assert done.returncode == 1
    assert done.stderr.startswith(b"the gateway refused the request: " + complaint)


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
def test_what_is_no_gateway_is_recognised(tool: Tool, status: int, kind: str, body: bytes) -> None:
    with Other(status, kind, body) as other:
        for arguments in (["ps"], ["run", "hello"]):
            done = tool.run(*arguments, "--url", other.url)
            assert done.returncode == 1
            assert b"another program answers" in done.stderr


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
