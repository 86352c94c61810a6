"""One gateway uses a state folder, and its lock's file contains where it listens."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.server.gateway_lock import StateInUse, listens_at, lock_state, master_pid
from tests.support.gateway import ROOT

_HOLDER = """
import sys
from app.server.gateway_lock import lock_state, write_address
lock = lock_state(sys.argv[1])
write_address(lock, "an address that is longer than the next one")
write_address(lock, "127.0.0.1:9876")
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Another process that holds the lock of `tmp_path`."""
    command = [sys.executable, "-c", _HOLDER, str(tmp_path)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={}
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        yield process


def test_a_second_gateway_is_refused(tmp_path: Path, other: "subprocess.Popen[bytes]") -> None:
    assert master_pid(str(tmp_path)) == other.pid
    with pytest.raises(StateInUse, match=f"another gateway uses {tmp_path}"):
        lock_state(str(tmp_path))


def test_the_address_is_that_of_the_gateway_that_runs(
    tmp_path: Path, other: "subprocess.Popen[bytes]"
) -> None:
    assert listens_at(str(tmp_path), "127.0.0.1:9876")
    assert not listens_at(str(tmp_path), "127.0.0.1:9877")
    other.kill()
    other.wait()
    # The file is left, but no process listens.
    assert (tmp_path / "gateway.lock").read_text() == "127.0.0.1:9876"
    assert master_pid(str(tmp_path)) is None
    assert not listens_at(str(tmp_path), "127.0.0.1:9876")
    os.close(lock_state(str(tmp_path)))


def test_a_folder_without_a_lock_is_free(tmp_path: Path) -> None:
    assert master_pid(str(tmp_path)) is None
    assert not listens_at(str(tmp_path), "")
