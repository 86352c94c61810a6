"""Users: their ids never change, their names are shown, and both are remembered."""

import json
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from app.auth.api_keys import hashed, read_keys
from app.auth.users import User, Users, UsersRecord, assign
from app.auth.users_file import load_users, mend_users, save_users
from app.errors import ConfigurationError
from tests.support.gateway import Gateway, Stream

K1, K2, K3, K4 = (f"key-{letter * 12}" for letter in "abcd")


def new(key: str, number: int = 1) -> str:
    """The id of a user whose first key this is."""
    return f"key:{sha256(key.encode()).hexdigest()}" + (f":{number}" if number > 1 else "")


def users_of(keys: str, known: Users | None = None, user: str = "admin") -> Users:
    """The users of these keys, at the first start over data of 1.0 or after another."""
    record = known and known.record
    return assign(user, read_keys(keys), shares=False, known=record, has_data=True)


def ids(users: Users) -> dict[str, str]:
    """The id of each key's user, by name."""
    return {user.name: user.id for _, user in users.keys}


def test_the_first_start_maps_the_numbers_of_1_0_once() -> None:
    first = users_of(f"{K1},alice:{K2},{hashed('bob', K3)}")
    assert ids(first) == {"key-1": "key-1", "alice": "key-2", "bob": "key-3"}
    # Removed, added and put in another order, none has what was another's.
    assert ids(users_of(f"{hashed('bob', K3)},{K4},alice:{K2}", first)) == {
        "bob": "key-3",
        f"key-{sha256(K4.encode()).hexdigest()[:8]}": new(K4),
        "alice": "key-2",
    }
    # A user that was removed and comes back has the same jobs again.
    second = users_of(K2, first)
    assert ids(second) == {"key-2": "key-2"}
    assert ids(users_of(f"{K2},{K1}", second)) == {"key-2": "key-2", "key-1": "key-1"}


def test_a_key_keeps_its_data_when_it_gets_a_name_and_a_name_when_it_gets_a_key() -> None:
    bare = users_of(f"{K1},{K2}")
    named = users_of(f"bob:{K2},alice:{K1}", bare)
    assert ids(named) == {"bob": "key-2", "alice": "key-1"}
    rotated = users_of(f"alice:{K3},bob:{K2}", named)
    assert ids(rotated) == {"alice": "key-1", "bob": "key-2"}
    # The old key is of no use to anyone else.
    assert ids(users_of(f"alice:{K3},{K1}", rotated))["alice"] == "key-1"
    assert ids(users_of(f"eve:{K1},alice:{K3}", rotated))["eve"] == new(K1)


def test_a_user_keeps_an_id_under_another_name_and_no_other_gets_it() -> None:
    first = assign("admin", read_keys(f"alice:{K1}"), False, None, has_data=False)
    renamed = users_of(f"eve:{K1}", first)
    assert ids(renamed) == {"eve": new(K1)}
    assert ids(users_of(f"eve:{K1},alice:{K2}", renamed))["alice"] == new(K2)
    # With another key meanwhile, the first one is another user's.
    rotated = users_of(f"eve:{K3}", renamed)
    for keys in (f"eve:{K3},{K1}", f"eve:{K3},alice:{K1}", K1):
        found = ids(users_of(keys, rotated))
        assert [user_id for name, user_id in found.items() if name != "eve"] == [new(K1, 2)]


def test_a_key_of_1_0_with_a_colon_keeps_its_data_under_another_name() -> None:
    first = users_of(f"team:{K1},{K2}")
    assert ids(first) == {"team": "key-1", "key-2": "key-2"}
    for entry in (f"bob:team:{K1}", hashed("bob", f"team:{K1}"), hashed("bob", K1)):
        assert ids(users_of(entry, first)) == {"bob": "key-1"}


def test_a_hashed_key_is_the_key_that_it_is_the_hash_of() -> None:
    bare = users_of(f"{K1},{K2}")
    assert ids(users_of(f"{hashed('bob', K2)},{hashed('alice', K1)}", bare)) == {
        "bob": "key-2",
        "alice": "key-1",
    }


def test_a_name_that_is_given_again_is_never_a_number_s() -> None:
    first = users_of(f"{K1},{K2}")
    later = users_of(f"key-3:{K3},{K2}", first)
    assert ids(later) == {"key-3": new(K3), "key-2": "key-2"}
    assert ids(users_of(f"key-1:{K3},{K2}", first)) == {"key-1": new(K3), "key-2": "key-2"}


def test_without_data_of_1_0_only_keys_without_a_name_have_a_number() -> None:
    first = assign("admin", read_keys(f"alice:{K1},{K2}"), False, None, has_data=False)
    assert ids(first) == {"alice": new(K1), "key-2": "key-2"}


def test_the_operator_keeps_an_id_under_another_name() -> None:
    first = users_of(K1)
    renamed = users_of(f"admin:{K2},{K1}", first, user="root")
    assert (renamed.operator.id, renamed.operator.name) == ("admin", "root")
    assert ids(renamed) == {"admin": new(K2), "key-1": "key-1"}
    assert renamed.name_of("admin") == "root"
    assert renamed.name_of(new(K2)) == "admin"
    # Also once the key is removed.
    assert users_of(K1, renamed, user="root").name_of(new(K2)) == "admin"


@pytest.mark.parametrize(
    ("user", "keys"),
    [("key-1", K1), ("key-2", f"{K1},{K2}"), ("admin", f"key-1:{K2},key-2:{K1},{K3},key-3:{K4}")],
)
def test_names_that_collide_refuse_the_start(user: str, keys: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        users_of(keys, user=user)
    assert "API_KEYS" in str(refused.value) and len(str(refused.value).splitlines()) == 1
    assert K1 not in str(refused.value)


def test_a_name_may_collide_later_too() -> None:
    first = users_of(K1)
    with pytest.raises(ConfigurationError):
        users_of(K1, first, user="key-1")
    with pytest.raises(ConfigurationError):
        users_of(f"{K1},key-1:{K2}", first)


def test_what_was_the_operators_and_a_keys_in_1_0_is_the_operators() -> None:
    merged = users_of(f"alice:{K1}", user="key-1")
    assert merged.operator.id == "key-1"
    assert ids(merged) == {"alice": new(K1)}


def test_the_same_key_twice_was_one_user_in_1_0_and_is(tmp_path: Path) -> None:
    assert ids(users_of(f"{K1},{K1},{K2}")) == {"key-1": "key-1", "key-3": "key-3"}


def test_who_may_see_what() -> None:
    operator, alice = User("admin", "admin", is_operator=True), User("key:a", "alice")
    sharing = User("key:b", "bob", shares=True)
    assert operator.may_see("key:a") and operator.owns("key:a")
    assert alice.may_see("key:a") and not alice.may_see("alice")
    assert not alice.may_see("admin") and not alice.may_see("")
    assert sharing.may_see("admin") and not sharing.owns("admin")


def load(state: Path, keys: str) -> Users:
    """The users as the gateway's next start over this folder sees them."""
    users = load_users(str(state), "admin", read_keys(keys), shares=False)
    save_users(str(state), users)
    return users


def test_what_is_remembered_holds_no_key(tmp_path: Path) -> None:
    (tmp_path / "jobs/1").mkdir(parents=True)
    load(tmp_path, f"{K1},alice:{K2}")
    text = (tmp_path / "users").read_text(encoding="ascii")
    assert K1 not in text and K2 not in text
    assert (tmp_path / "users").stat().st_mode & 0o777 == 0o600
    assert ids(load(tmp_path, f"{K3},alice:{K4}"))["alice"] == "key-2"


def test_the_folder_of_the_record_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    load(tmp_path / "link", K1)
    assert ids(load(tmp_path / "link", f"{K2},{K1}"))["key-1"] == "key-1"


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"\0" * 100),
        lambda path: path.write_text('{"operator": 1, "keys": []}'),
        lambda path: path.write_text('{"operator": "admin", "keys": {"key-1": [1]}}'),
        lambda path: path.write_text('{"operator": "admin", "keys": {"key-1": []}}'),
        lambda path: (path.unlink(), os.mkfifo(path)),
        lambda path: (path.unlink(), path.symlink_to("/dev/zero")),
        lambda path: (path.unlink(), path.mkdir()),
    ],
)
def test_a_damaged_record_gives_nothing_of_a_users_to_another(
    damage: Callable[[Path], object], tmp_path: Path
) -> None:
    (tmp_path / "jobs/1").mkdir(parents=True)
    load(tmp_path, f"{K1},{K2},alice:{K3}")
    damage(tmp_path / "users")
    found = ids(load(tmp_path, f"{K2},{K1},alice:{K3}"))
    assert "key-1" not in found.values()
    assert "key-2" not in found.values()
    assert found == ids(load(tmp_path, f"alice:{K3},{K1},{K2}"))


def test_what_has_not_changed_is_not_written_again(tmp_path: Path) -> None:
    load(tmp_path, K1)
    before = (tmp_path / "users").stat().st_ino
    load(tmp_path, K1)
    assert (tmp_path / "users").stat().st_ino == before
    assert UsersRecord(**json.loads((tmp_path / "users").read_bytes())).operator == "admin"


def test_what_a_job_removes_or_damages_is_written_again(tmp_path: Path) -> None:
    users = load(tmp_path, f"{K1},{K2}")
    path = tmp_path / "users"
    written = path.read_bytes()
    for damage in (path.unlink, lambda: path.write_bytes(b"{}"), lambda: path.chmod(0)):
        damage()
        mend_users(str(tmp_path), users)
        assert path.read_bytes() == written


def test_users_are_kept_apart(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(API_KEYS="a-key-for-this-test")
    body = {"prompt": "silent", "cwd": str(gateway.project)}
    answer = gateway.ask(
        "POST",
        "/chat",
        json=body,
        auth=None,
        headers={"Authorization": "Bearer a-key-for-this-test"},
        stream=True,
    )
    assert gateway.running()[0]["user"] == "key-1"
    Stream(answer).close()
