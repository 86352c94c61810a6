"""When an address that failed to sign in has to wait."""

import fcntl
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest

from app.audit import MOST_REFUSALS
from app.auth import throttle
from app.auth.authenticator import Authenticator
from app.auth.throttle import KNOWN_FACTOR, LOGIN_MEMORY, WINDOW, Throttle
from app.errors import InvalidCredentials, TooManyAttempts
from app.state import old_files
from tests.support.credentials import HERE, LONG, authenticator, basic


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = float(int(time.time()))

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The throttle's clock, which stands still at a whole second."""
    found = Clock()
    fake = SimpleNamespace(time=found, monotonic_ns=time.monotonic_ns, sleep=time.sleep)
    for module in (throttle, old_files):
        monkeypatch.setattr(module, "time", fake)
    return found


@pytest.fixture
def fast_switching() -> Iterator[None]:
    """Threads take turns as often as can be."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def fail(found: Throttle, times: int, address: str = HERE) -> None:
    """So many failures from an address."""
    for _ in range(times):
        found.record_failure(address)


def fail_to_sign_in(found: Authenticator, times: int) -> None:
    """So many wrong passwords from HERE."""
    for _ in range(times):
        with pytest.raises((InvalidCredentials, TooManyAttempts)):
            found.check(basic("admin:wrong"), HERE)


def test_after_so_many_failures_what_can_be_guessed_has_to_wait(
    tmp_path: Path, clock: Clock
) -> None:
    found = authenticator(tmp_path, limit=3)
    for _ in range(3):
        with pytest.raises(InvalidCredentials):
            found.check(basic("admin:wrong"), HERE)
        clock.now += 10
    for header in (basic("admin:wrong"), basic("admin:pa:ss"), "Bearer the-first-users-key"):
        with pytest.raises(TooManyAttempts) as refused:
            found.check(header, HERE)
        assert refused.value.status == 429
        assert refused.value.headers() == {"Retry-After": "30"}
    assert found.check(basic("admin:pa:ss"), "192.0.2.2").name == "admin"


@pytest.mark.parametrize("key", [LONG, LONG[::-1]])
def test_a_key_that_cannot_be_guessed_never_waits(key: str, tmp_path: Path) -> None:
    found = authenticator(tmp_path, limit=1)
    fail_to_sign_in(found, 500)
    assert found.check(f"Bearer {key}", HERE).name in ("alice", "bob")


def test_a_password_that_cannot_be_guessed_never_waits(tmp_path: Path) -> None:
    found = authenticator(tmp_path, limit=1, password=LONG)
    fail_to_sign_in(found, 500)
    assert found.check(basic(f"admin:{LONG}"), HERE).is_operator


def test_an_address_that_signed_in_lately_does_so_again_whatever_else_comes_from_there(
    tmp_path: Path, clock: Clock
) -> None:
    found, other_worker = (authenticator(tmp_path, limit=2) for _ in range(2))
    found.check(basic("admin:pa:ss"), HERE)
    clock.now += 3600
    fail_to_sign_in(other_worker, 50)
    assert other_worker.check(basic("admin:pa:ss"), HERE).name == "admin"
    assert found.check("Bearer the-first-users-key", HERE).name == "key-1"
    with pytest.raises(TooManyAttempts):
        found.check(basic("admin:wrong"), HERE)


def test_who_guesses_without_end_is_stopped_at_an_address_that_is_known_too(
    tmp_path: Path,
) -> None:
    found = authenticator(tmp_path, limit=2)
    found.check(basic("admin:pa:ss"), HERE)
    fail_to_sign_in(found, 2 * KNOWN_FACTOR)
    with pytest.raises(TooManyAttempts):
        found.check(basic("admin:pa:ss"), HERE)
    # What is counted does not grow without end.
    fail_to_sign_in(found, 100)
    (file,) = (tmp_path / "failures").iterdir()
    assert file.stat().st_size < 2 * KNOWN_FACTOR + 32


def test_who_names_another_address_each_time_is_stopped_behind_the_proxy(
    tmp_path: Path,
) -> None:
    found = authenticator(tmp_path, limit=2)
    found.check(basic("admin:pa:ss"), HERE, "127.0.0.1")
    for number in range(2 * KNOWN_FACTOR):
        with pytest.raises(InvalidCredentials):
            found.check(basic("admin:wrong"), f"198.18.0.{number}", "127.0.0.1")
    for password in ("wrong", "pa:ss"):
        with pytest.raises(TooManyAttempts):
            found.check(basic(f"admin:{password}"), "198.19.0.1", "127.0.0.1")
    # Who signed in lately, has a long key, or comes by another way gets through.
    assert found.check(basic("admin:pa:ss"), HERE, "127.0.0.1").is_operator
    assert found.check(f"Bearer {LONG}", "198.19.0.2", "127.0.0.1")
    assert found.check(basic("admin:pa:ss"), "198.19.0.3", "192.0.2.1").is_operator
    assert found.check(basic("admin:pa:ss"), "127.0.0.1").is_operator


def test_an_address_is_unknown_again_when_it_has_not_signed_in_for_long(
    tmp_path: Path, clock: Clock
) -> None:
    found = authenticator(tmp_path, limit=2)
    found.check(basic("admin:pa:ss"), HERE)
    clock.now += LOGIN_MEMORY + 1
    fail_to_sign_in(found, 2)
    with pytest.raises(TooManyAttempts):
        found.check(basic("admin:pa:ss"), HERE)


def test_who_signs_in_is_never_counted_and_noted_once(tmp_path: Path) -> None:
    found = authenticator(tmp_path, limit=1)
    assert found.check(basic("admin:pa:ss"), HERE).name == "admin"
    (note,) = (tmp_path / "addresses").iterdir()
    note.unlink()
    for _ in range(5):
        assert found.check(basic("admin:pa:ss"), HERE).name == "admin"
    assert list((tmp_path / "addresses").iterdir()) == []
    assert list((tmp_path / "failures").iterdir()) == []


def damage(path: Path, how: str) -> None:
    """Put something else in the place of a file."""
    path.unlink(missing_ok=True)
    if how == "pipe":
        os.mkfifo(path)
    elif how == "link":
        path.symlink_to("/etc/passwd")
    elif how == "huge":
        path.write_bytes(b"%.3f\n" % time.time())
        os.truncate(path, 300 << 30)
    else:
        path.write_bytes({"zeros": b"\0" * 100, "empty": b"", "words": b"nan\nxxxx"}[how])


@pytest.mark.parametrize("how", ["pipe", "link", "huge", "zeros", "empty", "words"])
def test_a_file_that_is_damaged_or_replaced_counts_as_missing(how: str, tmp_path: Path) -> None:
    found = authenticator(tmp_path, limit=2)
    fail_to_sign_in(found, 2)
    (file,) = (tmp_path / "failures").iterdir()
    damage(file, how)
    assert found.check(basic("admin:pa:ss"), HERE).name == "admin"
    (note,) = (tmp_path / "addresses").iterdir()
    fail_to_sign_in(found, 2)
    damage(note, how)
    with pytest.raises(TooManyAttempts):
        found.check(basic("admin:pa:ss"), HERE)


def test_a_folder_in_the_place_of_a_file_fails_no_request(tmp_path: Path) -> None:
    found = authenticator(tmp_path, limit=2)
    fail_to_sign_in(found, 1)
    (file,) = (tmp_path / "failures").iterdir()
    file.unlink()
    file.mkdir()
    fail_to_sign_in(found, 1)
    assert found.check(basic("admin:pa:ss"), HERE).name == "admin"


def test_a_lock_on_the_folder_holds_nothing_up(tmp_path: Path) -> None:
    found = authenticator(tmp_path, limit=2)
    folder = os.open(tmp_path / "failures", os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    began = time.monotonic()
    fail_to_sign_in(found, 2)
    # To wait for the lock would take two seconds each time.
    assert time.monotonic() - began < 3
    with pytest.raises(TooManyAttempts):
        found.check(basic("admin:pa:ss"), HERE)
    os.close(folder)


def test_a_login_that_has_to_wait_is_a_refused_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = authenticator(tmp_path, limit=1)
    for header in (basic("admin:wrong"), basic("admin:wrong"), basic("admin:pa:ss")):
        with pytest.raises((InvalidCredentials, TooManyAttempts)):
            found.check(header, HERE)
    assert [record.getMessage().partition(": ")[2] for record in caplog.records] == [
        "a wrong password of admin",
        "a wrong password of admin",
        "valid credentials, but too many failed attempts before",
    ]


def test_a_flood_of_refused_logins_does_not_fill_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = authenticator(tmp_path)
    fail_to_sign_in(found, 500)
    lines = [record for record in caplog.records if record.name == "audit"]
    assert MOST_REFUSALS <= len(lines) <= 2 * MOST_REFUSALS + 1
    assert lines[0].getMessage() == f"a login from {HERE} was refused: a wrong password of admin"
    assert "wrong " not in lines[0].getMessage().replace("a wrong password", "")


@pytest.mark.parametrize(
    ("later", "retry_after"), [(0.0, 60), (0.5, 60), (30.0, 30), (59.2, 1), (59.999, 1)]
)
def test_retry_after_is_what_is_left_of_the_minute(
    later: float, retry_after: int, tmp_path: Path, clock: Clock
) -> None:
    found = Throttle(tmp_path, 2)
    fail(found, 2)
    clock.now += later
    with pytest.raises(TooManyAttempts) as refused:
        found.check(HERE)
    assert refused.value.retry_after == retry_after


def test_when_the_minute_is_over_the_count_begins_anew(tmp_path: Path, clock: Clock) -> None:
    found = Throttle(tmp_path, 2)
    fail(found, 2)
    clock.now += WINDOW + 0.01
    found.check(HERE)
    fail(found, 1)
    found.check(HERE)
    fail(found, 1)
    with pytest.raises(TooManyAttempts):
        found.check(HERE)


def test_the_minute_begins_with_the_first_failure(tmp_path: Path, clock: Clock) -> None:
    found = Throttle(tmp_path, 2)
    fail(found, 1)
    clock.now += 50
    fail(found, 1)
    with pytest.raises(TooManyAttempts):
        found.check(HERE)
    clock.now += 11
    found.check(HERE)


def test_a_clock_that_was_set_back_locks_out_no_user(tmp_path: Path, clock: Clock) -> None:
    found = Throttle(tmp_path, 1)
    fail(found, 1)
    clock.now -= 3600
    found.check(HERE)
    fail(found, 1)
    with pytest.raises(TooManyAttempts) as refused:
        found.check(HERE)
    assert refused.value.retry_after <= WINDOW


@pytest.mark.parametrize("fraction", [0.0004, 0.0006, 0.9999])
def test_failures_in_the_same_millisecond_are_all_counted(
    fraction: float, tmp_path: Path, clock: Clock
) -> None:
    clock.now += fraction
    found = Throttle(tmp_path, 3)
    fail(found, 3)
    with pytest.raises(TooManyAttempts):
        found.check(HERE)


def test_a_limit_of_zero_counts_nothing(tmp_path: Path) -> None:
    found = Throttle(tmp_path / "state", 0)
    fail(found, 100)
    found.check(HERE)
    found.record_login(HERE)
    assert not (tmp_path / "state").exists()


def test_the_folder_is_for_this_user_alone(tmp_path: Path) -> None:
    Throttle(tmp_path / "state", 1)
    for name in ("failures", "addresses"):
        assert (tmp_path / "state" / name).stat().st_mode & 0o777 == 0o700


def test_two_workers_count_together(tmp_path: Path) -> None:
    one, other = Throttle(tmp_path, 2), Throttle(tmp_path, 2)
    fail(one, 1)
    other.check(HERE)
    fail(other, 1)
    for found in (one, other):
        with pytest.raises(TooManyAttempts):
            found.check(HERE)


def test_no_failure_is_lost_when_many_are_counted_at_once(
    tmp_path: Path, fast_switching: None
) -> None:
    workers = [Throttle(tmp_path, 4) for _ in range(4)]
    for number in range(50):
        address = f"192.0.2.{number}"
        counting = [Thread(target=fail, args=(worker, 1, address)) for worker in workers]
        for thread in counting:
            thread.start()
        for thread in counting:
            thread.join()
        with pytest.raises(TooManyAttempts):
            workers[0].check(address)


@pytest.mark.parametrize(
    ("failed", "tried", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("2001:db8::1", "2001:DB8:0::2", True),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("", "", True),
        ("unknown", "unknown", True),
        ("../../etc/passwd", "../../etc/passwd", True),
        ("a" * 10_000, "a" * 10_000, True),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_one_client_may_hold_counts_as_one_address(
    failed: str, tried: str, same: bool, tmp_path: Path
) -> None:
    found = Throttle(tmp_path, 1)
    fail(found, 1, failed)
    if same:
        with pytest.raises(TooManyAttempts):
            found.check(tried)
    else:
        found.check(tried)


def test_files_of_addresses_that_failed_long_ago_are_removed(tmp_path: Path, clock: Clock) -> None:
    found = Throttle(tmp_path, 5)
    for number in range(20):
        fail(found, 1, f"192.0.2.{number}")
    assert len(list((tmp_path / "failures").iterdir())) == 20
    clock.now += 2 * WINDOW
    fail(found, 1, "198.51.100.1")
    assert len(list((tmp_path / "failures").iterdir())) == 1


def test_an_address_that_never_failed_leaves_no_file(tmp_path: Path) -> None:
    Throttle(tmp_path, 1).check(HERE)
    assert list((tmp_path / "failures").iterdir()) == []
