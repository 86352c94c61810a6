"""An error outside of any request is one line of the log, however often it occurs."""

import gevent
import pytest
from gevent import get_hub

from app.server.hub_errors import HubErrors


def test_an_error_in_the_hub_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(get_hub(), "print_exception", HubErrors().log_error)

    def fail() -> None:
        raise OSError(24, "Too many open files" + "x" * 10_000)

    gevent.joinall([gevent.spawn(fail) for _ in range(100)])
    (record,) = caplog.records
    message = record.getMessage()
    assert message.startswith("an error outside of any request: OSError at ")
    assert "Too many open files" in message
    assert len(message) < 600
    assert capfd.readouterr().err == ""


def test_how_often_it_came_again_is_reported_with_the_next(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    errors = HubErrors()
    for _ in range(5):
        errors.log_error(None, OSError, OSError("x"), None)
    now[0] = 11.0
    errors.log_error(None, OSError, OSError("x"), None)
    assert [" (repeated 4 times)" in each.getMessage() for each in caplog.records] == [False, True]
