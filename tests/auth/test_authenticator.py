"""Which credentials are accepted, and as which user."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.auth.api_keys import hashed
from app.auth.throttle import Throttle
from app.errors import GatewayError, InvalidCredentials, NotAuthenticated
from tests.support.credentials import HERE, LONG, authenticator, basic, signing_in


def as_received(header: str) -> str:
    """A header with other than ASCII, as it arrives through WSGI (PEP 3333)."""
    return header.encode().decode("latin-1")


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (basic("admin:pa:ss"), "admin"),
        (basic("admin:pa:ss", "basic"), "admin"),
        (basic("admin:pa:ss", "BASIC"), "admin"),
        (basic("admin:pa:ss", " Basic  ") + " ", "admin"),
        ("Bearer the-first-users-key", "key-1"),
        ("bearer the-first-users-key", "key-1"),
        ("Bearer   the-first-users-key ", "key-1"),
        (as_received("Bearer der-zweite-schlüssel"), "key-2"),
        (f"Bearer {LONG}", "alice"),
        # In 1.0 all of an entry was the key.
        (f"Bearer alice:{LONG}", "alice"),
        (f"Bearer {LONG[::-1]}", "bob"),
    ],
)
def test_who_has_the_password_or_a_key_is_let_in_by_name(
    header: str, name: str, tmp_path: Path
) -> None:
    assert authenticator(tmp_path).check(header, HERE).name == name


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
        "the-first-users-key",
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
        basic("the-first-users-key:"),
        basic(":the-first-users-key"),
        basic(f"alice:{LONG}"),
        "Bearer alice",
        f"Bearer bob:{LONG[::-1]}",
        f"Bearer {hashed('bob', LONG[::-1])}",
        f"Bearer {hashed('bob', LONG[::-1]).rpartition(':')[2]}",
        f"Bearer {hashed('bob', LONG[::-1]).partition(':')[2]}",
        "Bearer admin:pa:ss",
        "Bearer " + basic("admin:pa:ss").split()[1],
        "Bearer the-first-users-key,schlüssel",
        "Bearer the-first-users-ke",
        "Bearer THE-FIRST-USERS-KEY",
        "Bearer Bearer the-first-users-key",
        "Bearer der-zweite-schlüssel",
    ],
)
def test_wrong_credentials_are_refused_as_wrong(header: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidCredentials) as refused:
        authenticator(tmp_path).check(header, HERE)
    assert (refused.value.status, refused.value.detail) == (401, "Invalid credentials")
    assert "WWW-Authenticate" in refused.value.headers()


@given(
    st.text(min_size=1).filter(lambda user: ":" not in user),
    st.text(min_size=1),
)
def test_any_user_and_password_differ_from_any_other_as_bytes(user: str, password: str) -> None:
    found = signing_in(user, password, "", Throttle(Path("/nonexistent"), 0))
    assert found.check(basic(f"{user}:{password}"), HERE).name == user
    for wrong in (f"{user}:{password}x", f"x{user}:{password}", f"{user}::{password}"):
        with pytest.raises(InvalidCredentials):
            found.check(basic(wrong), HERE)


@pytest.mark.parametrize(
    "key", ["voilà-voilà-voilà", "Åaaaaaaaaaaaaaaa", "鍵" * 16, "=" * 16, "a b c d e f g h i"]
)
def test_a_key_is_compared_as_utf8_to_its_last_byte(key: str, tmp_path: Path) -> None:
    found = signing_in("admin", "pw", key, Throttle(tmp_path, 0))
    assert found.check(as_received(f"Bearer {key}"), HERE).name == "key-1"


def test_without_keys_no_bearer_is_let_in() -> None:
    found = signing_in("admin", "pw", "", Throttle(Path("/nonexistent"), 0))
    with pytest.raises(InvalidCredentials) as refused:
        found.check("Bearer the-first-users-key", HERE)
    assert "claudecode2api key add NAME" in str(refused.value.hint)
    with pytest.raises(NotAuthenticated) as asked:
        authenticator(Path("/nonexistent")).check(None, HERE)
    assert "Authorization: Bearer KEY" in str(asked.value.hint)
    assert "key add" not in str(asked.value.hint)


def test_no_error_repeats_what_was_sent(tmp_path: Path) -> None:
    found = authenticator(tmp_path, limit=1)
    for _ in range(2):
        with pytest.raises(GatewayError) as refused:
            found.check(basic("admin:guessed-secret"), HERE)
        assert "guessed-secret" not in f"{refused.value!r} {refused.value.headers()}"
