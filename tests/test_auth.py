"""Who is let in, whose address counts, and when an address has to wait."""

import base64
import sys
import time
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import throttle
from app.auth import Authenticator, client_address
from app.errors import GatewayError, InvalidCredentials, NotAuthenticated, TooManyAttempts
from app.throttle import WINDOW, Throttle

HERE = "192.0.2.1"
PROXIES = [ip_network("10.0.0.0/8"), ip_network("::1/128"), ip_network("2001:db8:1::/48")]


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
    monkeypatch.setattr(throttle, "time", SimpleNamespace(time=found))
    return found


@pytest.fixture
def fast_switching() -> Iterator[None]:
    """Threads take turns as often as can be."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def basic(pair: str | bytes, scheme: str = "Basic") -> str:
    """The header that a client sends for `user:password`."""
    pair = pair if isinstance(pair, bytes) else pair.encode()
    return f"{scheme} {base64.b64encode(pair).decode()}"


def as_received(header: str) -> str:
    """A header with other than ASCII, as it arrives through WSGI (PEP 3333)."""
    return header.encode().decode("latin-1")


def authenticator(folder: Path, limit: int = 0) -> Authenticator:
    """Knows `admin` with the password `pa:ss`, and two keys."""
    return Authenticator("admin", "pa:ss", ["key-one", "schlüssel"], Throttle(folder, limit))


def fail(found: Throttle, times: int, address: str = HERE) -> None:
    """So many failures from an address."""
    for _ in range(times):
        found.count(address)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (basic("admin:pa:ss"), "admin"),
        (basic("admin:pa:ss", "basic"), "admin"),
        (basic("admin:pa:ss", "BASIC"), "admin"),
        (basic("admin:pa:ss", " Basic  ") + " ", "admin"),
        ("Bearer key-one", "key-1"),
        ("bearer key-one", "key-1"),
        ("Bearer   key-one ", "key-1"),
        (as_received("Bearer schlüssel"), "key-2"),
    ],
)
def test_who_has_the_password_or_a_key_is_let_in_by_name(
    header: str, name: str, tmp_path: Path
) -> None:
    assert authenticator(tmp_path).check(header, HERE) == name


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        " ",
        "Basic",
        "Basic ",
        "Basic !!!!",
        "Basic YWRtaW46cGE6c3M",
        "Basic YWRtaW46 cGE6c3M=",
        "Basic YWRtaW46cGE6c3M==",
        "Basic YWRt\nYW46cGE6c3M=",
        as_received("Basic ÿÿÿÿ"),
        basic("no colon"),
        basic(""),
        basic("admin:pa:ss").replace(" ", "\t"),
        "Basic:" + basic("admin:pa:ss"),
        "Bearer",
        "Bearer ",
        "key-one",
        'Digest username="admin"',
        basic("admin:pa:ss", "Basics"),
        "admin:pa:ss",
    ],
)
def test_a_header_that_holds_no_credentials_is_no_attempt(
    header: str | None, tmp_path: Path
) -> None:
    limit_of_one = authenticator(tmp_path, limit=1)
    for _ in range(3):
        with pytest.raises(NotAuthenticated) as refused:
            limit_of_one.check(header, HERE)
        assert type(refused.value) is NotAuthenticated
        assert (refused.value.status, refused.value.detail) == (401, "Not authenticated")
        assert refused.value.headers() == {
            "WWW-Authenticate": 'Basic realm="claudecode2api", charset="UTF-8"'
        }


@pytest.mark.parametrize(
    "header",
    [
        basic("admin:"),
        basic(":"),
        basic("admin:pa"),
        basic("admin:pa:ss "),
        basic("admin:PA:SS"),
        basic("Admin:pa:ss"),
        basic("pa:ss"),
        basic(":pa:ss"),
        basic("admin:pa:ss\0"),
        basic(b"admin:pa:ss\xff"),
        basic("key-one:"),
        basic(":key-one"),
        "Bearer admin:pa:ss",
        "Bearer " + basic("admin:pa:ss").split()[1],
        "Bearer key-one,schlüssel",
        "Bearer key-on",
        "Bearer KEY-ONE",
        "Bearer Bearer key-one",
        "Bearer schlüssel",
    ],
)
def test_wrong_credentials_are_told_as_such(header: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidCredentials) as refused:
        authenticator(tmp_path).check(header, HERE)
    assert (refused.value.status, refused.value.detail) == (401, "Invalid credentials")
    assert "WWW-Authenticate" in refused.value.headers()


@given(
    st.text(min_size=1).filter(lambda user: ":" not in user),
    st.text(min_size=1),
)
def test_any_user_and_password_are_told_from_any_other_as_bytes(user: str, password: str) -> None:
    found = Authenticator(user, password, [], Throttle(Path("/nonexistent"), 0))
    assert found.check(basic(f"{user}:{password}"), HERE) == user
    for wrong in (f"{user}:{password}x", f"x{user}:{password}", f"{user}::{password}"):
        with pytest.raises(InvalidCredentials):
            found.check(basic(wrong), HERE)


@pytest.mark.parametrize("key", ["voilà", "Å", "Schlüssel", "鍵", "=", "a b"])
def test_a_key_is_compared_as_utf8_to_its_last_byte(key: str, tmp_path: Path) -> None:
    found = Authenticator("admin", "pw", [key], Throttle(tmp_path, 0))
    assert found.check(as_received(f"Bearer {key}"), HERE) == "key-1"


def test_without_keys_no_bearer_is_let_in() -> None:
    found = Authenticator("admin", "pw", [], Throttle(Path("/nonexistent"), 0))
    with pytest.raises(InvalidCredentials):
        found.check("Bearer key-one", HERE)


def test_no_error_repeats_what_was_sent(tmp_path: Path) -> None:
    found = authenticator(tmp_path, limit=1)
    for _ in range(2):
        with pytest.raises(GatewayError) as refused:
            found.check(basic("admin:guessed-secret"), HERE)
        assert "guessed-secret" not in f"{refused.value!r} {refused.value.headers()}"


@pytest.mark.parametrize(
    ("remote", "forwarded_for", "expected"),
    [
        ("192.0.2.9", "", "192.0.2.9"),
        ("192.0.2.9", "198.51.100.1", "192.0.2.9"),
        ("192.0.2.9", "10.0.0.1", "192.0.2.9"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", " 198.51.100.1 ", "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.9, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "198.51.100.1,,", "198.51.100.1"),
        ("10.0.0.1", " , ", "10.0.0.1"),
        ("10.0.0.1", "6.6.6.6, unknown", "10.0.0.1"),
        ("10.0.0.1", "192.0.2.7:4711", "192.0.2.7"),
        ("10.0.0.1", "[2001:db8::7]:80", "2001:db8::7"),
        ("::1", "2001:db8:2::7", "2001:db8:2::7"),
        ("2001:db8:1::5", "198.51.100.1", "198.51.100.1"),
        ("2001:DB8:1:0::5", "198.51.100.1", "198.51.100.1"),
        ("2001:db8:2::5", "198.51.100.1", "2001:db8:2::5"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("::ffff:192.0.2.9", "198.51.100.1", "::ffff:192.0.2.9"),
        ("10.0.0.1", "198.51.100.1, ::ffff:10.0.0.2", "198.51.100.1"),
        ("", "198.51.100.1", ""),
    ],
)
def test_the_address_is_the_last_that_a_proxy_of_ours_has_seen(
    remote: str, forwarded_for: str, expected: str
) -> None:
    assert client_address(remote, forwarded_for, PROXIES) == expected


def test_without_proxies_the_header_is_not_believed() -> None:
    assert client_address("10.0.0.1", "198.51.100.1", []) == "10.0.0.1"


@given(st.lists(st.ip_addresses().map(str)), st.ip_addresses(v=4, network="198.51.100.0/24"))
def test_what_a_client_writes_before_its_own_address_changes_nothing(
    spoofed: list[str], own: object
) -> None:
    header = ", ".join([*spoofed, str(own)])
    assert client_address("10.0.0.1", header, PROXIES) == str(own)


def test_after_so_many_failures_every_attempt_has_to_wait(tmp_path: Path, clock: Clock) -> None:
    found = authenticator(tmp_path, limit=3)
    for _ in range(3):
        with pytest.raises(InvalidCredentials):
            found.check(basic("admin:wrong"), HERE)
        clock.now += 10
    for header in (basic("admin:wrong"), basic("admin:pa:ss"), "Bearer key-one"):
        with pytest.raises(TooManyAttempts) as refused:
            found.check(header, HERE)
        assert refused.value.status == 429
        assert refused.value.headers() == {"Retry-After": "30"}
    assert found.check(basic("admin:pa:ss"), "192.0.2.2") == "admin"


def test_who_signs_in_is_never_counted(tmp_path: Path) -> None:
    found = authenticator(tmp_path, limit=1)
    for _ in range(5):
        assert found.check(basic("admin:pa:ss"), HERE) == "admin"


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


def test_a_clock_that_was_set_back_locks_nobody_out(tmp_path: Path, clock: Clock) -> None:
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
    folder = tmp_path / "failures"
    found = Throttle(folder, 0)
    fail(found, 100)
    found.check(HERE)
    assert not folder.exists()


def test_the_folder_is_for_this_user_alone(tmp_path: Path) -> None:
    Throttle(tmp_path / "state" / "failures", 1)
    assert (tmp_path / "state" / "failures").stat().st_mode & 0o777 == 0o700


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
    assert len(list(tmp_path.iterdir())) == 20
    clock.now += 2 * WINDOW
    fail(found, 1, "198.51.100.1")
    assert len(list(tmp_path.iterdir())) == 1


def test_an_address_that_never_failed_leaves_no_file(tmp_path: Path) -> None:
    Throttle(tmp_path, 1).check(HERE)
    assert list(tmp_path.iterdir()) == []
