"""`GET /folders`: a client chooses a folder for a job, and learns of no others."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import pytest
import requests

from app.auth.users import User
from app.errors import DiskTooSlow, FolderNotFound
from app.jobs import folders as module
from app.jobs.folders import Folders
from app.jobs.index import JobIndex
from app.jobs.store import Spool
from tests.support.ended_jobs import end_job, fill
from tests.support.gateway import Gateway
from tests.support.two_users import ALICE, BOB, KEYS, by, chat

ME = User("me", "me")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with some folders."""
    made = tmp_path / "root"
    for name in ("b", "a", "a/x", ".hidden", "new\nline", "ü"):
        (made / name).mkdir(parents=True)
    (made / "file").touch()
    return made


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    made = Spool(tmp_path / "state")
    made.prepare()
    return made


@pytest.fixture
def folders(spool: Spool, root: Path) -> Folders:
    return Folders(spool, JobIndex(spool.state), [root], ["/hidden"])


def is_found(folders: Folders, path: object) -> bool:
    try:
        folders.names(str(path), "")
    except FolderNotFound:
        return False
    return True


def test_the_folders_are_listed_by_name(folders: Folders, root: Path) -> None:
    assert folders.roots() == [str(root)]
    assert folders.names(str(root), "") == (["a", "b", "new\nline", "ü"], False)
    assert folders.names(f"/{root}//a/", "") == (["x"], False)
    assert folders.names(str(root), "a") == (["a"], False)


def test_hidden_folders_are_listed_only_for_a_dot(folders: Folders, root: Path) -> None:
    assert folders.names(str(root), ".") == ([".hidden"], False)
    assert folders.names(str(root), ".x") == ([], False)
    assert is_found(folders, root / ".hidden")


def test_no_link_is_followed_or_listed(folders: Folders, root: Path, tmp_path: Path) -> None:
    (tmp_path / "outside/below").mkdir(parents=True)
    (root / "link").symlink_to(tmp_path / "outside")
    (root / "within").symlink_to(root / "a")
    assert {"link", "within"}.isdisjoint(folders.names(str(root), "").names)
    for path in ("link", "link/below", "within", "within/x"):
        assert not is_found(folders, root / path)


def test_a_root_that_becomes_a_link_is_not_followed(
    folders: Folders, root: Path, tmp_path: Path
) -> None:
    root.rename(tmp_path / "elsewhere")
    root.symlink_to(tmp_path / "elsewhere")
    assert not is_found(folders, root)
    assert not is_found(folders, root / "a")


def test_what_is_outside_missing_or_no_folder_is_refused_alike(
    folders: Folders, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "root-2").mkdir()
    os.mkfifo(root / "pipe")
    others = (
        *("/", "/etc", tmp_path, tmp_path / "root-2", root / "../root", root / "a/.."),
        *(f"{root}/./a", root / "missing", root / "file", root / "pipe", "root", "a\0b"),
        *(f"{root}/\0", f"{root}/{'x' * 300}", f"{root}/{'x/' * 3000}", "\udcff", f"{root}/\ud800"),
    )
    for path in others:
        assert not is_found(folders, path), path


def test_the_root_of_all_folders_can_be_a_root(spool: Spool) -> None:
    folders = Folders(spool, JobIndex(spool.state), [Path("/")], [])
    assert {"etc", "tmp"} <= set(folders.names("/", "").names)
    assert is_found(folders, "/etc")


def test_a_closed_folder_is_listed_only_below_a_root_in_it(spool: Spool, root: Path) -> None:
    index = JobIndex(spool.state)
    folders = Folders(spool, index, [root, root / "a/x"], [], [root / "a"])
    assert is_found(folders, root)
    assert not is_found(folders, root / "a")
    assert is_found(folders, root / "a/x")


def test_without_roots_no_folder_is_listed(spool: Spool, root: Path) -> None:
    folders = Folders(spool, JobIndex(spool.state), [], [])
    assert folders.roots() == []
    assert not is_found(folders, root)
    assert not is_found(folders, "/")


def test_a_name_that_is_not_utf_8_is_left_out(folders: Folders, root: Path) -> None:
    (root / os.fsdecode(b"a/\xff")).mkdir()
    assert folders.names(f"{root}/a", "") == (["x"], False)


def test_a_huge_folder_gives_its_first_200_names_while_others_are_served(
    folders: Folders, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3000):
        (root / f"a/{number:05}").mkdir()
    monkeypatch.setattr(module, "_MOST_HELD", 250)
    ticks: list[float] = []

    def tick() -> None:
        while True:
            ticks.append(time.monotonic())
            gevent.sleep(0)

    ticking = gevent.spawn(tick)
    found = folders.names(f"{root}/a", "")
    ticking.kill()
    assert found == ([f"{number:05}" for number in range(200)], True)
    assert len(ticks) > 1
    # One that takes too long to read is listed in part.
    monkeypatch.setattr(module, "_READING", -1.0)
    assert folders.names(f"{root}/a", "") == ([], True)


def test_a_disk_that_does_not_answer_is_asked_once_a_minute(
    folders: Folders, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def hang(path: str, prefix: str) -> None:
        asked.append(path)
        raise TimeoutError

    monkeypatch.setattr(module, "_names_in", hang)
    for _ in range(3):
        with pytest.raises(DiskTooSlow):
            folders.names(str(root), "")
    assert asked == [str(root)]
    assert not is_found(folders, "/etc")


@pytest.mark.parametrize("is_indexed", [True, False])
def test_recent_folders_are_those_of_the_users_jobs_that_still_exist(
    spool: Spool, root: Path, tmp_path: Path, is_indexed: bool
) -> None:
    index = JobIndex(spool.state)
    folders = Folders(spool, index, [root], [str(root / "b")])
    (tmp_path / "outside").mkdir()
    for number, (user, cwd) in enumerate(
        [
            ("me", root / "ü"),
            ("me", root / "a"),
            ("you", root / "a/x"),
            ("me", root / "a"),
            ("me", root / "gone"),
            ("me", root / "b"),
            ("me", tmp_path / "outside"),
            ("me", root),
        ]
    ):
        end_job(spool, user=user, cwd=str(cwd), started=1.7e9 + number, is_logged=is_indexed)
    fill(spool, index)
    assert folders.recent(ME) == [str(root), f"{root}/a", f"{root}/ü"]
    assert folders.recent(User("you", "you")) == [f"{root}/a/x"]
    # Not even to the operator, or if jobs are shared.
    assert folders.recent(User("op", "op", is_operator=True, shares=True)) == []
    index.distrust()
    assert (folders.recent(ME) == []) is is_indexed


def test_at_most_20_folders_are_recent(spool: Spool, root: Path) -> None:
    index = JobIndex(spool.state)
    for number in range(30):
        (root / f"{number}").mkdir()
        end_job(spool, cwd=f"{root}/{number}", started=1.7e9 + number, is_logged=True)
    fill(spool, index)
    found = Folders(spool, index, [root], []).recent(ME)
    assert found == [f"{root}/{number}" for number in range(29, 9, -1)]


def asked(gateway: Gateway, key: str, **query: str) -> requests.Response:
    return gateway.ask("GET", "/folders", params=query, **by(key))


def test_a_client_chooses_a_folder(
    start_gateway: Callable[..., Gateway], root: Path, tmp_path: Path
) -> None:
    gateway = start_gateway(API_KEYS=KEYS, CWD_ROOTS=f"{root},{tmp_path / 'project'}")
    roots = [{"name": each.name, "path": str(each)} for each in (root, gateway.project)]
    empty = {"path": None, "folders": roots, "more": False, "recent": []}
    assert asked(gateway, ALICE).json() == empty
    chat(gateway, ALICE, "result ok", cwd=str(root / "ü")).done()
    # A workspace is a root, once there is one.
    body: dict[str, Any] = {"prompt": "result ok", "workspace": "mine"}
    assert gateway.ask("POST", "/api/claude", json=body, **by(ALICE)).status_code == 200
    found = asked(gateway, ALICE).json()
    workspaces = str(gateway.state / "workspaces")
    assert found["folders"] == [*roots, {"name": "workspaces", "path": workspaces}]
    assert found["recent"] == [f"{workspaces}/mine", f"{root}/ü"]
    assert asked(gateway, BOB).json()["recent"] == []
    assert asked(gateway, ALICE, path=f"{root}/", prefix="n").json() == {
        "path": str(root),
        "folders": [{"name": "new\nline", "path": f"{root}/new\nline"}],
        "more": False,
        "recent": [],
    }
    others = ("/etc", f"{root}/etc", "/missing", gateway.state, gateway.state / "jobs")
    refusals = [asked(gateway, ALICE, path=str(path)) for path in others]
    assert {(each.status_code, each.json()["code"]) for each in refusals} == {
        (404, "folder_not_found")
    }


def test_the_folders_of_the_gateway_and_of_the_cli_are_not_listed(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    """Their names are ids of other users' jobs and sessions."""
    gateway = start_gateway(API_KEYS=KEYS, CWD_ROOTS=str(tmp_path))
    closed = [gateway.state, gateway.state / "jobs", gateway.home / ".claude/projects"]
    closed[-1].mkdir(parents=True)
    assert gateway.state.is_relative_to(tmp_path)
    assert gateway.home.is_relative_to(tmp_path)
    for path in (tmp_path, gateway.home, gateway.project):
        assert asked(gateway, ALICE, path=str(path)).status_code == 200
    for path in closed:
        assert asked(gateway, ALICE, path=str(path)).status_code == 404
    body: dict[str, Any] = {"prompt": "result ok", "workspace": "mine"}
    assert gateway.ask("POST", "/api/claude", json=body, **by(ALICE)).status_code == 200
    found = asked(gateway, ALICE, path=str(gateway.state / "workspaces")).json()
    assert [each["name"] for each in found["folders"]] == ["mine"]
