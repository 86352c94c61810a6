"""The stamps of the files that a command line names."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from app.records.start_stamps import MOST_FILES, stamps_of
from tests.support.gateway import eventually


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """A plugin with one file, two folders deep."""
    file = tmp_path / "plugin/commands/deep/one.md"
    file.parent.mkdir(parents=True)
    file.write_text("one", encoding="ascii")
    return tmp_path / "plugin"


def _in_place(file: Path) -> None:
    file.write_text("two", encoding="ascii")


def _replaced(file: Path) -> None:
    new = file.with_suffix(".new")
    new.write_text("one", encoding="ascii")
    new.rename(file)


def _with_its_old_time(file: Path) -> None:
    status = file.stat()
    file.write_text("two", encoding="ascii")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def await_tick(folder: Path) -> None:
    """Wait for the kernel's clock for files, which ticks every few milliseconds."""
    first, other = folder / "first", folder / "other"
    first.touch()
    found = first.stat().st_ctime_ns
    eventually(lambda: other.write_bytes(b"") or other.stat().st_ctime_ns > found)


CHANGES: list[Callable[[Path], object]] = [
    _in_place,
    _replaced,
    _with_its_old_time,
    Path.unlink,
    lambda file: (file.parent / "more").touch(),
    lambda file: file.parent.rename(file.parent.parent / "renamed"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_each_change_of_what_is_in_a_folder_changes_its_stamp(
    plugin: Path, change: Callable[[Path], object]
) -> None:
    arguments = [f"--plugin-dir={plugin}"]
    before = stamps_of(arguments, "/")
    assert stamps_of(arguments, "/") == before
    await_tick(plugin.parent)
    change(plugin / "commands/deep/one.md")
    assert stamps_of(arguments, "/") != before


def test_a_relative_path_is_that_of_the_working_directory(plugin: Path) -> None:
    arguments = ["--mcp-config=plugin/commands/deep/one.md"]
    before = stamps_of(arguments, str(plugin.parent))
    assert before != stamps_of(arguments, "/")
    await_tick(plugin.parent)
    _in_place(plugin / "commands/deep/one.md")
    assert stamps_of(arguments, str(plugin.parent)) != before


def test_only_files_that_the_cli_reads_at_its_start_have_a_stamp(tmp_path: Path) -> None:
    named = [f"--add-dir={tmp_path}", "--model=x", {"flag": "--settings", "file": "settings.1"}]
    assert stamps_of([*named, '--settings={"a":1}', "--verbose"], "/") == []
    assert len(stamps_of([*named, f"--settings={tmp_path}/a"], "/")) == 1


def test_a_folder_with_too_much_in_it_is_never_the_same(tmp_path: Path) -> None:
    for number in range(MOST_FILES):
        (tmp_path / str(number)).touch()
    arguments = [f"--plugin-dir={tmp_path}"]
    assert stamps_of(arguments, "/") != stamps_of(arguments, "/")
