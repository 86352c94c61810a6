"""A stamp fits a file only until the file is changed."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from app.state.stamp import read_stamp, write_stamp
from tests.support.gateway import eventually


def _overwrite(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.write(b"X")


def _overwrite_and_set_time_back(file: Path) -> None:
    before = file.stat()
    _overwrite(file)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def _replace_by_copy(file: Path) -> None:
    shutil.copy2(file, file.with_name("copy"))
    file.with_name("copy").replace(file)


def _replace_by_link(file: Path) -> None:
    file.rename(file.with_name("moved"))
    file.symlink_to("moved")


def _replace_by_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


CHANGES = [
    _overwrite,
    _overwrite_and_set_time_back,
    _replace_by_copy,
    _replace_by_link,
    _replace_by_pipe,
    Path.unlink,
    lambda file: file.chmod(0o600),
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_stamp_fits_until_the_file_is_changed(
    tmp_path: Path, change: Callable[[Path], object]
) -> None:
    file, stamp = tmp_path / "file", str(tmp_path / "stamp")
    file.write_bytes(b"content")
    assert read_stamp(stamp, str(file)) is None
    for is_complete in (False, True):
        write_stamp(stamp, str(file), is_complete)
        found = read_stamp(stamp, str(file))
        assert found is not None
        assert found.is_complete is is_complete
    file.read_bytes()
    assert read_stamp(stamp, str(file)) == found
    # The kernel's clock for files ticks every few milliseconds.
    other = tmp_path / "other"
    eventually(lambda: other.write_bytes(b"") or other.stat().st_ctime_ns > found.changed)
    change(file)
    assert read_stamp(stamp, str(file)) is None


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"is_complete": 1}', b"[]"])
def test_a_malformed_stamp_does_not_fit(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "stamp").write_bytes(content)
    assert read_stamp(str(tmp_path / "stamp"), str(tmp_path / "file")) is None
