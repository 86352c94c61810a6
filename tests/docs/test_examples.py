"""The examples of `POST /chat` run as they are, with the real CLI."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from selenium import webdriver

from tests.support.gateway import PASSWORD, ROOT, Gateway, eventually
from tests.support.pages import PAGES, Page

FOLDER = ROOT / "examples"
#: The environment with httpx-sse.
CLIENTS = ROOT / "venv-clients/bin/python"
#: The others are tested in tests/openai/test_clients.py.
EXAMPLES = sorted(
    path
    for path in FOLDER.iterdir()
    if path.suffix in (".py", ".sh", ".mjs") and "GATEWAY" in path.read_text(encoding="utf-8")
)


def run(example: Path, gateway: Gateway, home: Path, **variables: str) -> str:
    """What an example prints; it must succeed."""
    if example.suffix == ".sh" and " jq" in example.read_text(encoding="utf-8"):
        assert shutil.which("jq"), "install jq, or run scripts/test, which does"
    # Some fields need to know what the CLI can do, which takes long where much else runs.
    eventually(lambda: gateway.ask("GET", "/health").json()["capabilities"], patience=45)
    python = CLIENTS if "httpx" in example.read_text(encoding="utf-8") else sys.executable
    runners = {".sh": ["bash"], ".py": [str(python)], ".mjs": ["node"]}
    done = subprocess.run(
        [*runners[example.suffix], str(example)],
        env={
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(home),
            "GATEWAY": gateway.url,
            "AUTH_USER": "admin",
            "AUTH_PASSWORD": PASSWORD,
            **variables,
        },
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.real
@pytest.mark.timeout(120)
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_runs(real: Gateway, example: Path, tmp_path: Path) -> None:
    assert run(example, real, tmp_path)


@pytest.mark.real
@pytest.mark.timeout(120)
def test_the_example_of_questions_answers_one(real: Gateway, tmp_path: Path) -> None:
    made = tmp_path / "made"
    printed = run(FOLDER / "answer_questions.sh", real, tmp_path, PROMPT=f"bash: touch {made}")
    assert made.exists()
    assert printed.startswith(f'Bash: {{"command":"touch {made}"')


@pytest.fixture
def site() -> Iterator[str]:
    """The origin of a server with the examples."""
    handler = partial(Quiet, directory=str(FOLDER))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and logs nothing."""

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.mark.browser
def test_the_example_of_event_source_shows_a_stream(
    start_gateway: Callable[..., Gateway], driver: webdriver.Chrome, site: str
) -> None:
    plain = "plain-password"
    gateway = start_gateway(AUTH_PASSWORD=plain, CORS_ORIGINS=site)
    stream = gateway.chat("line a", "line b", "result ok")
    done = stream.done()
    # As a user who has signed in to the gateway.
    driver.get(f"http://admin:{plain}@127.0.0.1:{gateway.port}/processes")
    query = f"job={stream.job_id}&gateway={gateway.url}/"
    driver.get(f"{site}/event_source.html?{query}")
    lines = "return document.getElementById('lines').textContent"
    eventually(lambda: "done: {" in driver.execute_script(lines))
    shown = driver.execute_script(lines).splitlines()
    assert shown[:2] == ["a", "b"]
    assert f'"process_id":"{done["process_id"]}"' in shown[-1]


def test_every_example_is_on_a_page_and_says_what_it_needs() -> None:
    linked = {link for path in PAGES for link in Page(path).links()}
    for path in FOLDER.iterdir():
        assert any(link.endswith(f"examples/{path.name}") for link in linked), path.name
        if path.suffix in (".py", ".sh", ".mjs"):
            assert "Needs" in path.read_text(encoding="utf-8")
        if path.suffix == ".sh":
            assert os.access(path, os.X_OK)
