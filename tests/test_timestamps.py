"""Moments as records have them."""

from datetime import UTC, datetime

from app.timestamps import now


def test_now_is_utc_to_the_millisecond() -> None:
    text = now()
    assert text.endswith("Z")
    assert len(text) == len("2026-01-01T00:00:00.000Z")
    age = datetime.now(UTC) - datetime.fromisoformat(text)
    assert abs(age.total_seconds()) < 10
