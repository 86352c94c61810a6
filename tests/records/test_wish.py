"""The wishes of clients about jobs, as links."""

from pathlib import Path

from app.records import wish


def test_only_a_cancellation_replaces_another_wish(tmp_path: Path) -> None:
    path = str(tmp_path / "wish")
    assert wish.read(path) is None
    wish.write(path, "complete", "max_tokens")
    wish.write(path, "interrupt")
    assert (wish.read(path), wish.complete_for(path)) == ("complete", "max_tokens")
    wish.write(path, "cancel")
    wish.write(path, "complete", "refusal")
    assert (wish.read(path), wish.complete_for(path)) == ("cancel", None)


def test_a_link_that_a_job_has_made_is_no_wish(tmp_path: Path) -> None:
    path = tmp_path / "wish"
    path.symlink_to("completed at once")
    assert (wish.read(str(path)), wish.complete_for(str(path))) == (None, None)
