"""Calls in native threads: other greenlets go on, and no call is waited for without end."""

import threading
import time

import gevent
import pytest

from app.server.native_thread import NativeThreads


def test_other_greenlets_go_on_meanwhile() -> None:
    called = threading.Event()
    # Only another greenlet ends the call.
    gevent.spawn(called.set)
    assert NativeThreads().call(lambda: called.wait(10), 10)


def test_what_the_function_raises_is_raised_and_not_printed(
    capfd: pytest.CaptureFixture[str],
) -> None:
    threads = NativeThreads()
    with pytest.raises(KeyError, match="x"):
        threads.call(lambda: {}["x"], 10)
    assert threads.call(lambda: None, 10) is None
    assert capfd.readouterr() == ("", "")


def test_calls_share_their_threads() -> None:
    threads = NativeThreads()
    # Python may give the number of a thread that has ended to another.
    before = threading.active_count()
    names = {threads.call(threading.get_native_id, 10) for _ in range(50)}
    assert len(names) <= 2
    assert threading.active_count() <= before + 2


def test_a_call_that_takes_too_long_is_given_up_and_keeps_no_other_waiting() -> None:
    threads = NativeThreads()
    ended = threading.Event()
    begun = time.monotonic()
    for _ in range(5):
        with pytest.raises(TimeoutError):
            threads.call(lambda: ended.wait(30), 0.05)
    assert threads.call(lambda: 1, 10) == 1
    assert time.monotonic() - begun < 10
    ended.set()
