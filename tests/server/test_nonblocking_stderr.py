"""A reader of standard error that stalls blocks nothing, and dropped lines are counted."""

import os
import pty
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.server.nonblocking_stderr import NonblockingStderr
from tests.support.gateway import Gateway, eventually

Ends = tuple[int, int]


def a_pipe() -> Ends:
    return os.pipe()


def a_socket() -> Ends:
    ours, theirs = socket.socketpair()
    return ours.detach(), theirs.detach()


def a_terminal() -> Ends:
    ours, theirs = pty.openpty()
    return ours, theirs


@pytest.fixture(params=[a_pipe, a_socket, a_terminal])
def ends(request: pytest.FixtureRequest) -> Iterator[Ends]:
    """Two ends, of which the second is written to."""
    ours, theirs = request.param()
    yield ours, theirs
    os.close(ours)
    os.close(theirs)


def test_what_cannot_be_written_at_once_is_dropped_and_reported(ends: Ends) -> None:
    ours, theirs = ends
    outlet = NonblockingStderr(theirs)
    counted: list[int] = []
    outlet.on_drop = counted.append
    line = "x" * 998 + "\n"
    for _ in range(1000):
        outlet.write(line)
    assert 0 < len(counted) < 1000
    os.set_blocking(ours, False)
    received: list[bytes] = []

    def lines() -> list[str]:
        # A terminal adds a carriage return. What had begun is ended first.
        return b"".join(received).replace(b"\r", b"").decode().split("\n")

    def reports() -> list[str]:
        return [line for line in lines() if line.endswith(" dropped")]

    def is_reported() -> bool:
        received.append(read_all(ours))
        outlet.write("after\n")
        # A terminal takes its time to have room: some of these may be dropped, too.
        reported = sum(int(line.split()[0]) for line in reports())
        return reported == len(counted) and lines()[-2:] == ["after", ""]

    eventually(is_reported)
    assert lines()[0] == "x" * 998
    # Whole lines alone. A terminal passes some on by itself, so that more of ours may follow.
    assert set(lines()) == {"x" * 998, *reports(), "after", ""}
    # Other processes that have it open wait as before.
    assert os.get_blocking(theirs)


def test_a_reader_that_went_away_is_no_error() -> None:
    ours, theirs = os.pipe()
    outlet = NonblockingStderr(theirs)
    os.close(ours)
    assert outlet.write("line\n") == 5
    os.close(theirs)


def test_a_file_gets_every_line_in_its_place(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:
        outlet = NonblockingStderr(log.fileno())
        for _ in range(100):
            outlet.write("x" * 9999 + "\n")
            # Written by another one that has the same file open.
            os.write(log.fileno(), b"y\n")
    assert (tmp_path / "log").read_bytes() == (b"x" * 9999 + b"\ny\n") * 100


def test_a_gateway_whose_log_is_not_read_answers_as_ever(
    fake_claude: Path, tmp_path: Path, ends: Ends
) -> None:
    ours, theirs = ends
    gateway = Gateway(tmp_path, fake_claude)
    gateway.stderr = theirs
    try:
        gateway.start()
        begun = time.monotonic()
        for _ in range(200):
            # Each is a line of 4000 characters.
            gateway.ask("GET", "/" + "x" * 3900)
        # Otherwise each would wait for ever.
        assert time.monotonic() - begun < 50
        assert gateway.chat("line a", "result ok").done()["status"] == "succeeded"
        metrics = gateway.ask("GET", "/metrics").text
        (dropped,) = re.findall(r"^claudecode2api_dropped_log_lines_total (.*)$", metrics, re.M)
        assert float(dropped) > 10
        os.set_blocking(ours, False)
        read_all(ours)
        # The next line makes each worker report what it dropped.
        received: list[bytes] = []

        def is_reported() -> bool:
            gateway.ask("GET", "/x")
            received.append(read_all(ours))
            return b" lines of the log were dropped: " in b"".join(received)

        eventually(is_reported)
        assert gateway.stop() == 0
    finally:
        gateway.kill()


def read_all(descriptor: int) -> bytes:
    """What can be read now."""
    received = b""
    try:
        while piece := os.read(descriptor, 1 << 16):
            received += piece
    except BlockingIOError:
        pass
    return received
