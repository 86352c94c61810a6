"""The pages of the API: files of the gateway alone, cached by clients."""

import re
import socket
import struct
from collections.abc import Callable
from urllib.parse import urljoin

import pytest

from tests.support.gateway import ROOT, Gateway

PAGES = ROOT / "app/openapi/templates"
VENDORED = ROOT / "vendored"
FILES = [
    path
    for folder in (PAGES, VENDORED)
    for path in sorted(folder.iterdir())
    if path.suffix in (".js", ".css", ".svg", ".txt")
]


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_a_page_is_open_to_all_and_may_load_our_own_files_alone(
    gateway: Gateway, page: str
) -> None:
    answer = gateway.ask("GET", page, auth=None)
    assert answer.status_code == 200
    assert answer.headers["X-Frame-Options"] == "DENY"
    policy = answer.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    # Each needs its own permission; there is none for scripts but 'self'.
    assert "script-src" not in policy
    assert not re.search(r"<script[^>]*>[^<]|<style|\son\w+=|\sstyle=", answer.text)
    again = gateway.ask("GET", page, auth=None, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["Content-Security-Policy"] == policy
    named = re.findall(r'(?:src|href)="([^"]+)"', answer.text)
    assert len(named) >= 4
    for name in named:
        assert gateway.ask("GET", urljoin(page, name), auth=None).status_code == 200
    assert "favicon.ico" in named


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_is_served_whole_and_only_once(gateway: Gateway, path) -> None:
    answer = gateway.ask("GET", f"/docs/{path.name}", auth=None)
    assert answer.content == path.read_bytes()
    assert answer.headers["Content-Length"] == str(len(answer.content))
    assert answer.headers["Cache-Control"] == "no-cache"
    again = {"If-None-Match": answer.headers["ETag"]}
    answer = gateway.ask("GET", f"/docs/{path.name}", auth=None, headers=again)
    assert (answer.status_code, answer.content) == (304, b"")
    answer = gateway.ask("HEAD", f"/docs/{path.name}", auth=None)
    assert answer.headers["Content-Length"] == str(path.stat().st_size)


def test_the_icon_is_open_to_all_and_kept_by_clients_for_a_day(gateway: Gateway) -> None:
    answer = gateway.ask("GET", "/favicon.ico", auth=None)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/x-icon")
    assert answer.headers["Cache-Control"] == "public, max-age=86400"
    again = {"If-None-Match": answer.headers["ETag"]}
    again_answer = gateway.ask("GET", "/favicon.ico", auth=None, headers=again)
    assert (again_answer.status_code, again_answer.content) == (304, b"")
    reserved, kind, count = struct.unpack_from("<HHH", answer.content)
    assert (reserved, kind, count) == (0, 1, 3)
    for number in range(count):
        side, length, offset = struct.unpack_from("<B7xII", answer.content, 6 + 16 * number)
        image = answer.content[offset : offset + length]
        assert image.startswith(b"\x89PNG\r\n\x1a\n")
        assert struct.unpack_from(">II", image, 16) == (side, side)


@pytest.mark.parametrize(
    "name", ["docs.html", "README.md", "x.js", "..%2fdocs.py", "%2e%2e%2f%2e%2e%2ferrors.py", ""]
)
def test_nothing_else_is_served(gateway: Gateway, name: str) -> None:
    answer = gateway.ask("GET", f"/docs/{name}", auth=None)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_client_that_loads_a_large_file_slowly_holds_up_no_other(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway(WORKERS="1")
    request = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n"
    slow = [socket.create_connection(("127.0.0.1", gateway.port)) for _ in range(20)]
    try:
        for connection in slow:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(request)
            assert connection.recv(12) == b"HTTP/1.1 200"
        assert gateway.ask("GET", "/health").status_code == 200
    finally:
        for connection in slow:
            connection.close()


def test_nothing_that_is_shown_asks_the_network_for_more() -> None:
    for path in FILES:
        if path.suffix != ".txt":
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"# sourceMappingURL=[\w.-]+\.map", text), path
            assert not re.search(r"""(src|href):\s*["']https?://cdn""", text), path


def test_what_is_of_others_has_its_licence_and_version_beside_it() -> None:
    about = (VENDORED / "README.md").read_text(encoding="utf-8")
    for name, version in (("swagger-ui-dist", "5.35.0"), ("redoc", "2.5.4")):
        assert f"| {name} | {version} |" in about
    assert {path.name for path in FILES if path.suffix == ".txt"} >= {
        "swagger-ui.LICENSE.txt",
        "swagger-ui.NOTICE.txt",
        "redoc.LICENSE.txt",
    }
