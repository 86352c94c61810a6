"""The API in a real browser, Chromium: EventSource, CORS, and unwanted pages."""

import base64
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from tests.support.gateway import Gateway, Stream, eventually
from tests.support.quickness import is_quick

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

#: Plain, because it stands in the address of a page.
PASSWORD = "plain-password"  # noqa: S105
AUTHORIZATION = "Basic " + base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
CLOSED = 2
FLAGS = (
    # As root it would not start otherwise; the only pages are our own.
    "--no-sandbox",
    "--headless",
    "--disable-gpu",
    # It must connect only to the gateway and the page's server.
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

LISTEN = """
    window.seen = {opens: 0, lines: [], errors: [], done: []};
    window.source = new EventSource(arguments[0], {withCredentials: true});
    source.onopen = () => { seen.opens += 1; };
    source.onmessage = (event) => { seen.lines.push(event.data); };
    source.addEventListener('done', (event) => { seen.done.push(event.data); });
    // Also what the browser itself calls an error comes here; it has no data.
    source.addEventListener('error', (event) => { if (event.data) seen.errors.push(event.data); });
"""
FETCH = """
    const [url, options, finished] = arguments;
    fetch(url, options).then(
        async (answer) => finished({
            type: answer.type,
            status: answer.status,
            job: answer.headers.get('X-Process-ID'),
            text: await answer.text(),
        }),
        (error) => finished({type: error.name}),
    );
"""

POST_WITHOUT_END = """
    const [url, size] = arguments;
    const body = new Blob([new Uint8Array(size)]);
    window.posted = 0;
    async function post() {
        for (;;) {
            // It is refused; what the browser still sends of it may be cut off.
            await fetch(url, {method: 'POST', mode: 'no-cors', body}).catch(() => null);
            window.posted += 1;
        }
    }
    post();
    post();
"""


class Page:
    """A tab of a browser."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self._driver = driver

    def go(self, address: str) -> None:
        """Load a page."""
        self._driver.get(address)

    def sign_in(self, gateway: Gateway) -> None:
        """Load a page of the gateway's that asks for credentials, and give them."""
        self.go(f"http://admin:{PASSWORD}@127.0.0.1:{gateway.port}/processes")

    def listen(self, address: str) -> None:
        """Have an EventSource read this."""
        self._driver.execute_script(LISTEN, address)

    def seen(self) -> Any:
        """What the EventSource has received so far."""
        return self._driver.execute_script("return seen")

    def state(self) -> int:
        """The EventSource's readyState."""
        state: int = self._driver.execute_script("return source.readyState")
        return state

    def post_without_end(self, address: str, size: int) -> None:
        """Have two requests at a time send so many bytes, again and again."""
        self._driver.execute_script(POST_WITHOUT_END, address, size)

    def posted(self) -> int:
        """How many of these requests are over."""
        posted: int = self._driver.execute_script("return posted")
        return posted

    def fetch(self, address: str, **options: Any) -> Any:
        """What fetch answers, or the name of its error as `type`."""
        return self._driver.execute_async_script(FETCH, address, options)


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    """A browser that knows nothing yet."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    assert chromium and driver, "install chromium and its driver, or run scripts/test, which does"
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(flag)
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path)}
    started = webdriver.Chrome(options=options, service=Service(driver, env=environment))
    try:
        yield Page(started)
    finally:
        started.quit()


class EmptyPage(BaseHTTPRequestHandler):
    """Answers an empty page."""

    def do_GET(self) -> None:
        """The page."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def other_port() -> Iterator[int]:
    """The port of a server with a page that is not the gateway's."""
    with ThreadingHTTPServer(("127.0.0.1", 0), EmptyPage) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def lines_of(gateway: Gateway, stream: Stream) -> list[str]:
    """What the job has printed."""
    output = gateway.state / "jobs" / stream.job_id / "output"
    return output.read_text(encoding="utf-8").splitlines()


def test_an_event_source_comes_back_after_every_crash_and_has_each_line_once(
    start_gateway: Callable[..., Gateway], page: Page
) -> None:
    gateway = start_gateway(AUTH_PASSWORD=PASSWORD)
    flag = gateway.folder / "flag"
    stream = gateway.chat(f"babble 0.005 {flag}", "result ok", detach=True)
    page.sign_in(gateway)
    page.listen(f"/chat/{stream.job_id}")
    eventually(lambda: len(page.seen()["lines"]) > 20)

    def restart() -> None:
        gateway.kill_master()
        gateway.start()

    for opens, crash in enumerate([gateway.reload, gateway.kill_workers, restart], start=2):
        crash()
        here = len(lines_of(gateway, stream))
        eventually(lambda here=here: len(page.seen()["lines"]) > here, lambda: str(page.seen()))
        assert page.seen()["opens"] >= opens
    flag.touch()
    eventually(lambda: page.state() == CLOSED)
    seen = page.seen()
    assert seen["lines"] == lines_of(gateway, stream)
    assert [json.loads(done)["status"] for done in seen["done"]] == ["succeeded"]
    # A reload is announced; the others are too sudden.
    assert {json.loads(error)["code"] for error in seen["errors"]} == {"stream_ended"}


def test_a_page_on_another_port_that_is_named_listens_with_the_users_credentials(
    start_gateway: Callable[..., Gateway], page: Page, other_port: int
) -> None:
    origin = f"http://127.0.0.1:{other_port}"
    gateway = start_gateway(AUTH_PASSWORD=PASSWORD, CORS_ORIGINS=origin)
    stream = gateway.chat("lines 1000", "result ok")
    page.sign_in(gateway)
    page.go(origin)
    page.listen(f"{gateway.url}/chat/{stream.job_id}")
    eventually(lambda: page.state() == CLOSED)
    assert page.seen()["lines"] == lines_of(gateway, stream)
    assert len(page.seen()["done"]) == 1


def test_a_page_of_another_site_that_is_named_reads_with_credentials_of_its_own(
    start_gateway: Callable[..., Gateway], page: Page, other_port: int
) -> None:
    # Chromium keeps what a user has typed for one site from the pages of others, so that an
    # EventSource of theirs, which cannot be given a header, is not let in.
    origin = f"http://localhost:{other_port}"
    gateway = start_gateway(AUTH_PASSWORD=PASSWORD, CORS_ORIGINS=origin)
    body = json.dumps({"prompt": "line a\nline b\nresult ok", "cwd": str(gateway.project)})
    headers = {"Authorization": AUTHORIZATION, "Content-Type": "application/json"}
    page.sign_in(gateway)
    page.go(origin)
    answer = page.fetch(f"{gateway.url}/chat", method="POST", headers=headers, body=body)
    assert (answer["type"], answer["status"]) == ("cors", 200)
    again = f"{gateway.url}/chat/{answer['job']}"
    headers = {"Authorization": AUTHORIZATION, "Last-Event-ID": str(len("a\n"))}
    rest = page.fetch(again, headers=headers)["text"]
    head = "retry: 1000\n"
    assert answer["text"] == rest.replace(head, f"{head}event: message\ndata: a\nid: 2\n\n", 1)
    page.listen(again)
    eventually(lambda: page.state() == CLOSED)
    assert page.seen()["opens"] == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_page_that_is_not_named_reads_nothing_and_starts_nothing(
    start_gateway: Callable[..., Gateway], page: Page, other_port: int, host: str
) -> None:
    gateway = start_gateway(AUTH_PASSWORD=PASSWORD)
    stream = gateway.chat("line a", "result ok")
    stream.done()
    page.sign_in(gateway)
    page.go(f"http://{host}:{other_port}")
    address = f"{gateway.url}/chat/{stream.job_id}"
    page.listen(address)
    eventually(lambda: page.state() == CLOSED)
    assert page.seen() == {"opens": 0, "lines": [], "errors": [], "done": []}
    for options in (
        {"credentials": "include"},
        {"headers": {"Authorization": AUTHORIZATION}},
    ):
        assert page.fetch(address, **options) == {"type": "TypeError"}
    # A form could send it, too: the browser sends no preflight request.
    answer = page.fetch(
        f"{gateway.url}/chat?cwd={gateway.project}",
        method="POST",
        mode="no-cors",
        credentials="include",
        body="line b",
    )
    assert (answer["type"], answer["text"]) == ("opaque", "")
    (job,) = gateway.ask("GET", "/jobs").json()["jobs"]
    assert job["process_id"] == stream.job_id


def test_a_page_of_another_site_that_posts_large_bodies_holds_up_no_other(
    start_gateway: Callable[..., Gateway], page: Page, other_port: int, tmp_path: Path
) -> None:
    gateway = start_gateway(AUTH_PASSWORD=PASSWORD)
    flag = tmp_path / "flag"
    innocent = gateway.chat("line a", f"await {flag}", "result ok")
    page.go(f"http://localhost:{other_port}")
    page.post_without_end(f"{gateway.url}/chat", 60 << 20)
    eventually(lambda: page.posted() >= 1)
    # A worker that read a body in one piece would stand still for longer.
    is_quick(gateway, 0.5)
    flag.touch()
    assert innocent.done()["status"] == "succeeded"
    assert len(gateway.ask("GET", "/jobs").json()["jobs"]) == 1
