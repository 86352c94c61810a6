"""The console's files as a browser gets them: never stale, never anything else."""

import gzip
import os
import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests

from tests.support.gateway import Gateway

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
PAGE = b'<!doctype html><title>x</title><script src="./console/assets/index-Ab12_-xY.js"></script>'
SCRIPT = b"const text = 'a';\n" * 10_000
HASHED, PLAIN = "index-Ab12_-xY.js", "plain.css"
POLICY = (
    "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none';"
    " form-action 'none'"
)
SERVICE = {"message": "Claude Code API Gateway", "docs": "/docs", "health": "/health"}


def build(code: Path) -> Path:
    """A built console in this folder of the gateway's code."""
    built = code / "console/dist"
    assets = built / "console/assets"
    assets.mkdir(parents=True)
    (built / "index.html").write_bytes(PAGE)
    (assets / HASHED).write_bytes(SCRIPT)
    (assets / PLAIN).write_bytes(b"p {}\n")
    (assets / ".hidden.js").write_bytes(b"hidden")
    (assets / "other.exe").write_bytes(b"other")
    os.mkfifo(assets / "pipe-12345678.js")
    return built


@pytest.fixture(scope="module")
def stack() -> Iterator[ExitStack]:
    """What is closed after these tests."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def built(fake_claude: Path, tmp_path_factory: pytest.TempPathFactory, stack: ExitStack) -> Gateway:
    """A gateway with a small console."""
    folder = tmp_path_factory.mktemp("console")
    gateway = Gateway(folder, fake_claude, WORKERS="1")
    gateway.copy_code()
    (gateway.code / "console").unlink()
    build(gateway.code)
    stack.callback(gateway.kill)
    return gateway.start()


def get(gateway: Gateway, path: str, **headers: str) -> requests.Response:
    """What a client without credentials gets."""
    plain = {"Accept-Encoding": "identity", **{k.replace("_", "-"): v for k, v in headers.items()}}
    return gateway.ask("GET", path, auth=None, headers=plain)


def test_a_browser_gets_the_page_with_its_policy(built: Gateway) -> None:
    answer = get(built, "/", **BROWSER)
    assert (answer.status_code, answer.content) == (200, PAGE)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert "Accept" in answer.headers["Vary"].split(", ")
    assert "WWW-Authenticate" not in answer.headers
    again = get(built, "/", **BROWSER, If_None_Match=answer.headers["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["Content-Security-Policy"] == POLICY
    head = built.ask("HEAD", "/", auth=None, headers=BROWSER)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == str(len(PAGE))


@pytest.mark.parametrize(
    "accept", ["*/*", "", "application/json", "text/html;q=0.5, */*", "text/html, application/json"]
)
def test_a_program_gets_json_as_before(built: Gateway, accept: str) -> None:
    # requests leaves a header out whose value is None.
    answer = built.ask("GET", "/", auth=None, headers={"Accept": accept or None})
    assert answer.json() == SERVICE
    assert "Accept" in answer.headers["Vary"].split(", ")
    assert "Content-Security-Policy" not in answer.headers


def test_a_file_with_a_hash_is_kept_for_ever_and_any_other_is_checked(built: Gateway) -> None:
    answer = get(built, f"/console/assets/{HASHED}")
    assert answer.content == SCRIPT
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["Vary"] == "Accept-Encoding"
    plain = get(built, f"/console/assets/{PLAIN}")
    assert (plain.content, plain.headers["Cache-Control"]) == (b"p {}\n", "no-cache")
    head = built.ask("HEAD", f"/console/assets/{HASHED}", headers={"Accept-Encoding": "identity"})
    assert head.headers["Content-Length"] == str(len(SCRIPT))


def test_a_file_is_compressed_for_those_who_accept_that(built: Gateway) -> None:
    path = f"/console/assets/{HASHED}"
    whole = get(built, path)
    found = []

    def load() -> None:
        with requests.get(
            built.url + path, headers={"Accept-Encoding": "br, gzip"}, stream=True, timeout=20
        ) as answer:
            found.append((dict(answer.headers), answer.raw.read(decode_content=False)))

    # At once: each finds the file compressed, or compresses it.
    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == len(threads)
    for headers, content in found:
        assert headers["Content-Encoding"] == "gzip"
        assert headers["ETag"] != whole.headers["ETag"]
        assert gzip.decompress(content) == SCRIPT
        assert int(headers["Content-Length"]) == len(content) < len(SCRIPT)
    etag = found[0][0]["ETag"]
    again = get(built, path, If_None_Match=etag, Accept_Encoding="gzip")
    assert (again.status_code, again.content) == (304, b"")
    assert get(built, path, If_None_Match=etag).content == SCRIPT
    assert get(built, path, Accept_Encoding="gzip;q=0").headers.get("Content-Encoding") is None
    head = built.ask("HEAD", path, headers={"Accept-Encoding": "gzip"})
    assert head.headers["Content-Length"] == found[0][0]["Content-Length"]


@pytest.mark.parametrize(
    "name",
    [
        *("", "x.js", ".hidden.js", "other.exe", "pipe-12345678.js", "..", "%2e%2e", "."),
        *("..%2f..%2findex.html", "%2e%2e%2f%2e%2e%2findex.html", "../../index.html"),
        *(f"%00{HASHED}", f"{HASHED}%00", f"{HASHED}%0a", f"{HASHED}/", f"/{HASHED}"),
        *("%2fetc%2fpasswd", "..%5cindex.html", "%ff.js", "a" * 3000 + ".js"),
    ],
)
def test_nothing_else_is_served(built: Gateway, name: str) -> None:
    answer = get(built, f"/console/assets/{name}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_another_page_is_served_at_once(built: Gateway) -> None:
    page = built.code / "console/dist/index.html"
    before = get(built, "/", **BROWSER).headers["ETag"]
    try:
        page.write_bytes(b"another")
        answer = get(built, "/", **BROWSER, If_None_Match=before)
        assert (answer.status_code, answer.content) == (200, b"another")
        page.unlink()
        assert get(built, "/", **BROWSER).json() == SERVICE
    finally:
        page.write_bytes(PAGE)


def test_the_setting_switches_the_console_off(fake_claude: Path, tmp_path: Path) -> None:
    with ExitStack() as stack:
        gateway = Gateway(tmp_path, fake_claude, CONSOLE="false", WORKERS="1")
        gateway.copy_code()
        (gateway.code / "console").unlink()
        build(gateway.code)
        stack.callback(gateway.kill)
        gateway.start()
        assert get(gateway, "/", **BROWSER).json() == SERVICE
        assert get(gateway, f"/console/assets/{HASHED}").status_code == 404


def test_the_page_that_is_built_loads_files_that_are_there_and_runs_nothing_of_itself(
    gateway: Gateway,
) -> None:
    page = get(gateway, "/", **BROWSER)
    assert page.headers["Content-Security-Policy"] == POLICY
    # The policy refuses scripts and styles in the page.
    assert not re.search(r"<script[^>]*>[^<]|<style|\son\w+=|\sstyle=", page.text)
    named = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len([name for name in named if name.endswith((".js", ".css"))]) >= 2
    for name in named:
        # Relative: a proxy may serve the gateway below another path.
        assert not name.startswith("/") and ":" not in name
        answer = get(gateway, urljoin("/", name))
        assert answer.status_code == 200, name
        if name.startswith("./console/"):
            assert "immutable" in answer.headers["Cache-Control"], name
