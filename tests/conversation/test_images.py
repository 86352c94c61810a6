"""Images of a client: which are refused, and what a slow site may cost."""

import base64
import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, repeat
from pathlib import Path

import pytest

from app.conversation.errors import BadParameter
from app.conversation.fetch import CannotFetch, fetch
from app.conversation.images import Images
from app.conversation.public_addresses import is_public
from tests.support.addresses import is_loopback
from tests.support.completions import PNG
from tests.support.gateway import PATIENCE, ROOT, eventually

# Images


def test_the_metadata_of_a_cloud_is_not_public() -> None:
    for address in ("168.63.129.16", "169.254.169.254", "100.100.100.200", "fd00:ec2::254"):
        assert not is_public(address), address


def test_a_circle_of_links_is_no_image(tmp_path: Path) -> None:
    circle = tmp_path / "circle.png"
    circle.symlink_to(circle)
    with pytest.raises(BadParameter):
        Images([tmp_path]).load([str(circle)])


@pytest.mark.parametrize("broken", [b"\n", b"\r\n", b" "])
@pytest.mark.parametrize("padding", [b"", b"=="])
def test_a_data_url_may_have_line_breaks_and_lack_its_padding(
    broken: bytes, padding: bytes
) -> None:
    content = base64.b64encode(PNG + b"\0").rstrip(b"=")
    data = broken.join(content[at : at + 8] for at in range(0, len(content), 8)) + padding
    url = f"data:image/png;base64,{data.decode()}"
    (block,) = Images([]).load([url]).values()
    assert base64.b64decode(block["source"]["data"]) == PNG + b"\0"


def test_a_data_url_may_have_the_alphabet_for_urls() -> None:
    content = PNG + b"\xfb\xff\xfe" * 3
    data = base64.urlsafe_b64encode(content).decode()
    assert "-" in data and "_" in data
    (block,) = Images([]).load([f"data:image/png;base64,{data}"]).values()
    assert base64.b64decode(block["source"]["data"]) == content


def test_a_pdf_is_a_document() -> None:
    url = f"data:application/pdf;base64,{base64.b64encode(b'%PDF-1.7').decode()}"
    (block,) = Images([]).load([url]).values()
    assert (block["type"], block["source"]["media_type"]) == ("document", "application/pdf")


def test_an_image_that_was_answered_may_be_gone(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone.png")
    images = Images([tmp_path])
    assert images.load([gone], answered=[gone])[gone]["type"] == "text"
    with pytest.raises(BadParameter):
        images.load([gone], answered=["another"])


def test_what_lies_outside_is_refused_as_what_is_not_there(tmp_path: Path) -> None:
    details = []
    for path in ("/etc/passwd", "/etc/no-such-file"):
        with pytest.raises(BadParameter) as refusal:
            Images([tmp_path]).load([path])
        details.append(str(refusal.value.detail).replace(path, ""))
    assert details[0] == details[1]


@contextmanager
def site(pieces: Iterable[bytes]) -> Iterator[str]:
    """A site that sends these bytes to the first that comes, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                client, _ = listener.accept()
                with client:
                    client.recv(65536)
                    for piece in pieces:
                        client.sendall(piece)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/x"
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def test_half_an_image_is_none() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    with site([head, PNG]) as url, pytest.raises(CannotFetch):
        fetch(url, 10_000, is_loopback)


_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b""),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
        (_CHUNKED, b"1\r\nx\r\n" * 3000),
        (_CHUNKED + b"1\r\nx\r\n0\r\n", b"a: b\r\n" * 3000),
    ],
    ids=["silence", "continue", "chunks", "trailers"],
)
def test_no_site_holds_a_worker_up(head: bytes, piece: bytes) -> None:
    program = """
from gevent import monkey
monkey.patch_all()
import sys, time, gevent
from app.conversation.fetch import CannotFetch, fetch
longest = 0.0
def beat():
    global longest
    while True:
        asked = time.monotonic()
        gevent.sleep(0.01)
        longest = max(longest, time.monotonic() - asked)
gevent.spawn(beat)
gevent.sleep(0.1)
try:
    fetch(sys.argv[1], 10 << 20, lambda _: True, timeout=1.0)
except CannotFetch:
    pass
gevent.sleep(0.1)
print(longest)
"""

    def longest() -> float:
        # Without a piece it is silent until the reader has gone.
        pieces = chain(
            [head], repeat(piece) if piece else (b"" for _ in iter(lambda: time.sleep(2), 0))
        )
        with site(pieces) as url:
            done = subprocess.run(
                [sys.executable, "-c", program, url],
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=True,
            )
        return float(done.stdout)

    # Other work on this machine can hold it up, too, but not each time.
    eventually(lambda: longest() < 1.0)
