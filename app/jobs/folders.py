"""The folders that a client can choose a job's working directory from."""

import heapq
import os
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from app.auth.users import User
from app.errors import DiskTooSlow, FolderNotFound, GatewayError
from app.jobs.index import IndexUnusable, JobIndex
from app.jobs.store import Spool, position_of
from app.jobs.working_directory import LONGEST_PATH, check_working_directory
from app.server.native_thread import NativeThreads
from app.state.folder_walk import folder_at

#: Folders in one listing, and folders of the user's jobs, at most.
MOST_NAMES = 200
MOST_RECENT = 20

# Names that are held while a folder is read.
_MOST_HELD = 10_000
# Folders of jobs that are looked at: some may be gone.
_CANDIDATES = 60
# Seconds for reading a folder; what was not read by then is left out.
_READING = 1.0
# Seconds for a disk that does not answer, and until its folders are tried again.
_PATIENCE = 5.0
_HUNG_FOR = 60.0


class Listing(NamedTuple):
    """Names of folders in a folder, in order; `more` if there are others."""

    names: list[str]
    more: bool


class Folders:
    """The folders below `roots`, and those of jobs. Without roots no folder is listed."""

    def __init__(
        self,
        spool: Spool,
        index: JobIndex,
        roots: Sequence[Path],
        hidden: Sequence[str],
        closed: Sequence[Path] = (),
    ) -> None:
        """The roots are without links. The `hidden` folders of jobs are never shown as recent.

        In `closed` folders nothing is listed but roots, because names there are ids of other users.
        """
        self._spool = spool
        self._index = index
        self._roots = roots
        self._hidden = set(hidden)
        self._closed = closed
        self._threads = NativeThreads()
        # Roots that did not answer, with the time from which they are tried again.
        self._hung: dict[str, float] = {}

    def roots(self) -> list[str]:
        """The roots that are usable folders."""
        roots = [str(root) for root in self._roots]
        return self._usable(roots, len(roots))

    def names(self, path: str, prefix: str) -> Listing:
        """The names of the folders in a folder, without links.

        Only those that begin with `prefix`; hidden ones only if it begins with a dot. Raises
        FolderNotFound, whether the folder is missing, unreadable or outside of the roots, and
        DiskTooSlow.
        """
        root = self._root_of(path)
        if root is None:
            raise FolderNotFound(path)
        if self._hung.get(root, 0.0) > time.monotonic():
            raise DiskTooSlow
        try:
            return self._threads.call(partial(_names_in, path, prefix), _PATIENCE)
        except TimeoutError:
            # Each attempt costs a thread.
            self._hung[root] = time.monotonic() + _HUNG_FOR
            raise DiskTooSlow from None
        except (OSError, ValueError):
            raise FolderNotFound(path) from None

    def recent(self, user: User) -> list[str]:
        """The folders of this user's own jobs that are usable now, the latest first."""
        latest: dict[str, int] = {}
        for job in self._spool.recent().values():
            request, position = job.request(), position_of(job)
            if request and position and request.user == user.id:
                latest[request.cwd] = max(position.started, latest.get(request.cwd, 0))
        try:
            for folder, started in self._index.recent_folders(user.id, _CANDIDATES):
                latest[folder] = max(started, latest.get(folder, 0))
        except IndexUnusable:
            # It is made anew; until then only the newest jobs are known.
            pass
        found = sorted(latest, key=lambda folder: latest[folder], reverse=True)
        return self._usable([each for each in found if each not in self._hidden], MOST_RECENT)

    def _root_of(self, path: str) -> str | None:
        """The root that a path is below, by its text alone."""
        # Without looking at the disk, which would take longer for a folder that exists.
        if len(path) > LONGEST_PATH or not path.startswith("/"):
            return None
        parts = [part for part in path.split("/") if part]
        if not {".", ".."}.isdisjoint(parts):
            return None
        plain = Path("/", *parts)
        for root in self._roots:
            if plain.is_relative_to(root) and not any(
                plain.is_relative_to(each) and not root.is_relative_to(each)
                for each in self._closed
            ):
                return str(root)
        return None

    def _usable(self, paths: Sequence[str], most: int) -> list[str]:
        try:
            work = partial(_usable, paths[:_CANDIDATES], self._roots, most)
            return self._threads.call(work, _PATIENCE)
        except TimeoutError:
            raise DiskTooSlow from None


def _names_in(path: str, prefix: str) -> Listing:
    names: list[str] = []
    deadline = time.monotonic() + _READING
    with folder_at(path) as folder, os.scandir(folder) as entries:
        for entry in entries:
            if time.monotonic() > deadline:
                return Listing(heapq.nsmallest(MOST_NAMES, names), True)
            if _is_shown(entry, prefix):
                names.append(entry.name)
            if len(names) > _MOST_HELD:
                names = heapq.nsmallest(MOST_NAMES + 1, names)
    return Listing(heapq.nsmallest(MOST_NAMES, names), len(names) > MOST_NAMES)


def _is_shown(entry: "os.DirEntry[str]", prefix: str) -> bool:
    name = entry.name
    if not name.startswith(prefix) or (name.startswith(".") and not prefix.startswith(".")):
        return False
    try:
        # A name that is not UTF-8 cannot be in a request.
        name.encode()
        return entry.is_dir(follow_symlinks=False)
    except (OSError, UnicodeEncodeError):
        return False


def _usable(paths: Sequence[str], roots: Sequence[Path], most: int) -> list[str]:
    found: list[str] = []
    for path in paths:
        try:
            check_working_directory(path, roots)
        except (GatewayError, OSError, ValueError):
            continue
        found.append(path)
        if len(found) == most:
            break
    return found
