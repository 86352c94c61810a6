"""The wishes of clients about jobs, as links."""

from collections.abc import Callable
from pathlib import Path

import pytest

from app.records import wish
from app.state import files


def test_only_a_cancellation_replaces_another_wish(tmp_path: Path) -> None:
    path = str(tmp_path / "wish")
    assert wish.read(path) is None
    wish.write(path, "complete", "max_tokens")
    wish.write(path, "interrupt")
    assert (wish.read(path), wish.complete_for(path)) == ("complete", "max_tokens")
    wish.write(path, "cancel")
    wish.write(path, "complete", "refusal")
    assert (wish.read(path), wish.complete_for(path)) == ("cancel", None)


@pytest.mark.parametrize("there", [None, "interrupt"])
@pytest.mark.parametrize(
    "act",
    [
        lambda path: wish.write(path, "interrupt"),
        lambda path: wish.write(path, "complete", "refusal"),
        lambda path: wish.take(path, "interrupt"),
    ],
)
def test_no_other_wish_replaces_or_takes_a_cancellation_that_comes_at_the_same_moment(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    act: Callable[[str], object],
    there: str | None,
) -> None:
    path = tmp_path / "wish"
    if there is not None:
        path.symlink_to(there)
    cancelled = []

    def cancel() -> None:
        if not cancelled:
            cancelled.append(True)
            files.replace_link(str(path), "cancel")

    def read_before(link: str) -> str | None:
        found = read_link(link)
        cancel()
        return found

    read_link = files.read_link
    monkeypatch.setattr(files, "read_link", read_before)
    assert not act(str(path))
    # What reads nothing leaves no moment between.
    cancel()
    assert path.readlink() == Path("cancel")


def test_an_interrupt_is_taken_once(tmp_path: Path) -> None:
    path = str(tmp_path / "wish")
    wish.write(path, "interrupt")
    assert wish.take(path, "interrupt")
    assert not wish.take(path, "interrupt")
    assert not [*tmp_path.iterdir()]


def test_a_link_that_a_job_has_made_is_no_wish(tmp_path: Path) -> None:
    path = tmp_path / "wish"
    path.symlink_to("completed at once")
    assert (wish.read(str(path)), wish.complete_for(str(path))) == (None, None)
