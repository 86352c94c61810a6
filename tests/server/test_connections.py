"""Connections: half-closed ones, stalled ones, too many, and refused bodies."""

import base64
import json
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from pathlib import Path
from unittest.mock import Mock

import pytest
import requests

from app.server.connection import Connection
from app.server.hangups import Hangups
from tests.support.gateway import PASSWORD, PATIENCE, Gateway, eventually, running_gateway

PAIR = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()


def connect(gateway: Gateway) -> socket.socket:
    return socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE)


def request(line: str, *headers: str, body: bytes = b"") -> bytes:
    head = (line, "Host: x", f"Authorization: Basic {PAIR}", f"Content-Length: {len(body)}")
    return "\r\n".join((*head, *headers, "", "")).encode() + body


def whole(connection: socket.socket) -> bytes:
    """All that comes until the connection ends."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def chat(gateway: Gateway, verbs: str, accept: str, version: str = "1.1") -> bytes:
    body = json.dumps({"prompt": verbs, "cwd": str(gateway.project)}).encode()
    headers = ("Content-Type: application/json", f"Accept: {accept}", "Connection: close")
    return request(f"POST /chat HTTP/{version}", *headers, body=body)


def unchunked(body: bytes) -> bytes:
    """What a chunked body holds; it must have been ended."""
    content = b""
    while True:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        if length == 0:
            assert body == b"\r\n", body
            return content
        content, body = content + body[:length], body[length + 2 :]


@pytest.mark.parametrize(
    ("accept", "held"),
    [
        ("application/x-ndjson", b'"subtype": "ok"'),
        ("text/event-stream", b"event: done"),
        ("application/json", b'"status":"succeeded"'),
        ("text/plain", b""),
    ],
)
def test_a_client_that_ends_its_sending_half_gets_its_whole_answer(
    gateway: Gateway, accept: str, held: bytes, tmp_path: Path
) -> None:
    flag = tmp_path / "flag"
    with connect(gateway) as connection:
        connection.sendall(chat(gateway, f"line a\nawait {flag}\nresult ok", accept))
        connection.shutdown(socket.SHUT_WR)
        # What means nothing is sent to see whether it is there: by then it has been noticed.
        probe = b"\r\n\r\n" if accept in ("application/json", "text/plain") else b"\r\n0"
        received = b""
        while not received.endswith(probe):
            received += connection.recv(65536)
        assert len(gateway.running()) == 1
        flag.touch()
        received += whole(connection)
    interim, _, _ = received.partition(b"HTTP/1.1 200 ")
    assert interim in (b"", b"HTTP/1.1 100 Continue\r\n\r\n")
    head, _, body = received.removeprefix(interim).partition(b"\r\n\r\n")
    if b"chunked" in head:
        body = unchunked(body)
    assert held in body


@pytest.mark.parametrize("accept", ["application/x-ndjson", "text/event-stream", "text/plain"])
def test_an_answer_that_looks_like_a_whole_one_ends_with_a_reset(
    gateway: Gateway, accept: str
) -> None:
    # HTTP/1.0 has nothing to send that means nothing, and no other end than the connection's.
    with connect(gateway) as connection:
        connection.sendall(chat(gateway, "line a\nsilent", accept, version="1.0"))
        eventually(lambda: len(gateway.running()) == 1)
        connection.shutdown(socket.SHUT_WR)
        with pytest.raises(ConnectionResetError):
            whole(connection)
    eventually(lambda: gateway.running() == [])


def test_an_answer_that_is_not_taken_is_given_up(gateway: Gateway) -> None:
    # What is awaited here is a deadline; the connection's end is the fact.
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(30)
        connection.connect(("127.0.0.1", gateway.port))
        connection.sendall(request("GET /docs/redoc.standalone.js HTTP/1.1") * 12)
        begun = time.monotonic()
        # Nothing is read until the gateway resets it: then it can no longer be written to.
        with pytest.raises(OSError, match=r"reset|Broken pipe"):
            while time.monotonic() - begun < 30:
                connection.sendall(b"\r\n")
                time.sleep(0.1)
        assert 5 < time.monotonic() - begun < 25


@pytest.fixture
def one_worker(start_gateway: Callable[..., Gateway]) -> Gateway:
    return start_gateway(WORKERS="1")


@pytest.fixture
def crowd() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_the_oldest_of_too_many_connections_of_an_address_makes_room(
    one_worker: Gateway, crowd: ExitStack
) -> None:
    proven = crowd.enter_context(connect(one_worker))
    proven.sendall(request("GET /processes HTTP/1.1"))
    while not proven.recv(65536).endswith(b"}\n"):
        continue
    idle = [crowd.enter_context(connect(one_worker)) for _ in range(300)]
    for connection in idle[:40]:
        assert connection.recv(1) == b""
    for connection in (idle[50], idle[-1], proven):
        connection.sendall(request("GET /processes HTTP/1.1", "Connection: close"))
        assert whole(connection).startswith(b"HTTP/1.1 200 ")


def test_few_descriptors_are_enough_for_any_number_of_connections(
    fake_claude: Path, tmp_path: Path, crowd: ExitStack
) -> None:
    with running_gateway(tmp_path, fake_claude, "prlimit", "--nofile=256:256") as gateway:
        stream = gateway.chat("line a", f"await {tmp_path}/flag", "result ok")
        stream.next()
        for _ in range(300):
            crowd.enter_context(connect(gateway))
            if _ % 10 == 0:
                assert gateway.ask("GET", "/health").status_code == 200
        # Slow readers need more than a descriptor.
        for _ in range(60):
            slow = crowd.enter_context(connect(gateway))
            slow.sendall(request("GET /docs/redoc.standalone.js HTTP/1.1") * 12)
        assert gateway.ask("GET", "/ready").status_code == 200
        (tmp_path / "flag").touch()
        assert stream.done()["status"] == "succeeded"
        assert "Too many open files" not in gateway.log()
        assert "Traceback" not in gateway.log()


def test_more_streams_than_there_are_descriptors_for_are_refused(
    fake_claude: Path, tmp_path: Path, crowd: ExitStack
) -> None:
    with running_gateway(tmp_path, fake_claude, "prlimit", "--nofile=256:256") as gateway:
        job = gateway.chat("line a", "silent", detach=True).job_id
        statuses = []
        for _ in range(150):
            answer = gateway.ask("GET", f"/chat/{job}", stream=True)
            crowd.callback(answer.close)
            statuses.append(answer.status_code)
        assert set(statuses) == {200, 503}
        assert answer.json()["code"] == "too_many_connections"
        assert gateway.ask("GET", "/health").status_code == 200
        assert "Too many open files" not in gateway.log()
        crowd.close()
        eventually(lambda: gateway.ask("DELETE", f"/chat/{job}").status_code == 200)


def test_a_body_that_is_refused_is_not_asked_for(gateway: Gateway) -> None:
    headers = ("Expect: 100-continue", "Content-Type: text/plain", "Connection: close")
    path = f"/chat?cwd={gateway.project}"
    refused = request(f"POST {path} HTTP/1.1", *headers).replace(PAIR.encode(), b"eDp5")
    with connect(gateway) as connection:
        connection.sendall(refused.replace(b"Length: 0", b"Length: 9"))
        assert whole(connection).startswith(b"HTTP/1.1 401 ")
    with connect(gateway) as connection:
        connection.sendall(request(f"POST {path} HTTP/1.1", *headers).replace(b": 0", b": 9"))
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"result ok")
        assert b"event: done" in whole(connection)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_client_that_sends_all_before_it_reads_sees_why_it_is_refused(
    gateway: Gateway, chunked: bool
) -> None:
    body = b"x" * (20 << 20)
    answer = requests.post(
        f"{gateway.url}/chat",
        data=iter([body]) if chunked else body,
        auth=("admin", "wrong"),
        timeout=PATIENCE,
    )
    assert answer.status_code == 401
    assert answer.headers["Connection"] == "close"


class Full:
    """A socket that is not writable as long as there are counts of the bytes that it has left."""

    def __init__(self, *left: int) -> None:
        self.left = [*left]

    def fileno(self) -> int:
        """No descriptor."""
        return -1

    def settimeout(self, seconds: float | None) -> None:
        """It times out at once."""

    def send(self, data: memoryview) -> int:
        """Send nothing, or everything."""
        if self.left:
            raise TimeoutError
        return len(data)


@pytest.mark.parametrize(
    ("left", "is_gone"), [([9, 8, 7, 6], False), ([9, 9], True), ([9, 8, 8], True)]
)
def test_a_client_that_takes_something_is_only_slow(
    left: list[int], is_gone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, hangups = Full(*left), Mock(spec=Hangups)
    monkeypatch.setattr("fcntl.ioctl", lambda *_: struct.pack("i", client.left.pop(0)))
    connection = Connection(client, "127.0.0.1", hangups)
    connection.begin(Mock(response_length=None))
    with (
        connection.watch(Mock(), is_kept=False),
        pytest.raises(TimeoutError) if is_gone else nullcontext(),
    ):
        connection.sendall(b"an event")
    assert client.left == []
