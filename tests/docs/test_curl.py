"""The curl commands on the pages work as they are, at a gateway with the real CLI."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.gateway import PASSWORD, Gateway, eventually
from tests.support.pages import PAGES, ROOT, Page
from tests.support.real_cli import API_KEY

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

#: What a gateway is called on the pages.
HERE = r"\$GATEWAY|\$OPENAI_BASE_URL|http://127\.0\.0\.1:9876"
#: Blocks with a request for this machine.
BLOCKS = [
    pytest.param(block.text, id=f"{path.relative_to(ROOT)}-{number}")
    for path in PAGES
    for number, block in enumerate(Page(path).blocks("sh"))
    if re.search(rf"^curl .*({HERE})", block.text.replace("\\\n", ""), re.MULTILINE)
]


@pytest.fixture(scope="module")
def ended(face: Gateway) -> tuple[str, str]:
    """A job that has ended, and the id of its first event."""
    stream = face.chat("hello")
    first = stream.next()
    stream.done()
    assert first.id is not None
    return stream.job_id, first.id


@pytest.fixture(scope="module")
def waiting(face: Gateway) -> str:
    """A job that waits for the answer to a question."""
    eventually(lambda: face.ask("GET", "/health").json()["capabilities"], patience=45)
    job: str = face.chat("bash: touch x", ask=True, detach=True).job_id
    eventually(lambda: face.ask("GET", f"/jobs/{job}/questions").json()["questions"])
    return job


def test_commands_are_found_on_the_pages() -> None:
    assert len(BLOCKS) > 10


@pytest.mark.parametrize("text", BLOCKS)
def test_a_command_works(
    face: Gateway, ended: tuple[str, str], waiting: str, tmp_path: Path, text: str
) -> None:
    (tmp_path / "prompt.md").write_text("hello", encoding="utf-8")
    # A stream is that of a job that ends; what is sent to a job needs one that goes on.
    job, event = ended
    text = text.replace("$GATEWAY/chat/$JOB", f"$GATEWAY/chat/{job}")
    text = re.sub(r"(Last-Event-ID: |last_event_id=)\d+", rf"\g<1>{event}", text)
    text = text.replace("http://127.0.0.1:9876", face.url).replace(
        "admin:your-password", '"$AUTH_USER:$AUTH_PASSWORD"'
    )
    done = subprocess.run(
        ["bash", "-euc", text],
        cwd=tmp_path,
        env={
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(tmp_path),
            **{"GATEWAY": face.url, "AUTH_USER": "admin", "AUTH_PASSWORD": PASSWORD},
            **{"OPENAI_BASE_URL": f"{face.url}/v1", "OPENAI_API_KEY": API_KEY, "KEY": API_KEY},
            "JOB": waiting,
        },
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
    # No error, in any of its shapes.
    assert '"request_id"' not in done.stdout and '"error"' not in done.stdout, done.stdout
