"""Fetching the URL of a client: addresses, size limit, redirects."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from app.conversation.errors import BadParameter
from app.conversation.fetch import CannotFetch, fetch
from app.conversation.images import Images
from tests.support.addresses import is_loopback


class Site(BaseHTTPRequestHandler):
    """Sends what its path asks for."""

    hosts: list[str]

    def do_GET(self) -> None:
        """`/size/N`, `/hops/N`, `/to/URL`, `/status/N`."""
        Site.hosts.append(self.headers["Host"])
        _, verb, rest = self.path.split("/", 2)
        if verb == "size":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"x" * int(rest))
            return
        self.send_response(int(rest) if verb == "status" else 302)
        if verb == "hops":
            left = int(rest)
            self.send_header("Location", f"/hops/{left - 1}" if left > 1 else "/size/3")
        elif verb == "to":
            self.send_header("Location", rest)
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def site() -> Iterator[str]:
    """Where the site is, by its name."""
    Site.hosts = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://localhost:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_name_is_asked_for_at_the_address_that_was_looked_at(site: str) -> None:
    assert fetch(f"{site}/size/3", 10, is_loopback) == b"xxx"
    assert Site.hosts == [site.removeprefix("http://")]


def test_nothing_within_is_asked(site: str) -> None:
    with pytest.raises(CannotFetch, match="not on the public internet"):
        fetch(f"{site}/size/3", 10)
    assert Site.hosts == []


def test_too_much_is_not_taken(site: str) -> None:
    assert len(fetch(f"{site}/size/10", 10, is_loopback)) == 10
    with pytest.raises(CannotFetch, match="more than 10 bytes"):
        fetch(f"{site}/size/11", 10, is_loopback)


def test_three_redirects_are_followed(site: str) -> None:
    assert fetch(f"{site}/hops/3", 10, is_loopback) == b"xxx"
    with pytest.raises(CannotFetch, match="more than 3 redirects"):
        fetch(f"{site}/hops/4", 10, is_loopback)


@pytest.mark.parametrize("target", ["http://10.0.0.1/", "file:///etc/passwd", "//[fe80::1]/"])
def test_each_redirect_is_looked_at(site: str, target: str) -> None:
    with pytest.raises(CannotFetch):
        fetch(f"{site}/to/{target}", 10, is_loopback)


@pytest.mark.parametrize(
    "url",
    [
        *("http://", "http:///x", "http://user@127.0.0.1/", "ftp://127.0.0.1/", "http://[::1"),
        *("http://127.0.0.1:99999/", "http://2130706433/", "http://0x7f000001/", "http://0/"),
        *("http://no-such-host.invalid/", "http://127.0.0.1:1/", "http://a\nb/", "http://xn--/"),
    ],
)
def test_what_is_no_url_of_the_internet_is_refused(url: str) -> None:
    with pytest.raises(CannotFetch):
        fetch(url, 10)


def test_a_status_that_is_no_success_is_an_error(site: str) -> None:
    with pytest.raises(CannotFetch, match="has status 404"):
        fetch(f"{site}/status/404", 10, is_loopback)


@pytest.mark.parametrize(
    "url",
    [
        *("data:", "data:,", "data:image/png;base64,!", "data:image/png;base64,AAAA", "x", "/etc"),
        *("file:///etc/passwd", "file://host/x", "/etc/passwd\0", "javascript:x"),
    ],
)
def test_what_is_no_image_is_refused_by_name(url: str) -> None:
    with pytest.raises(BadParameter) as refused:
        Images(()).load([url])
    assert refused.value.param == "messages"
