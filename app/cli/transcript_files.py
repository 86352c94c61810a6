"""The files of the CLI's transcripts, found and opened without following a link.

A job can put anything into the folder of transcripts: links, pipes, thousands of files.
"""

import os
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from app.cli.transcript_path import projects_folder, transcript_path
from app.cli.transcripts import is_session_id
from app.state.folder_walk import folder_at, folder_in

# The most that is looked at: folders, files, seconds.
_MOST_FOLDERS = 5_000
_MOST_FILES = 20_000
_SCANNING = 2.0

_ENDING = ".jsonl"
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class TranscriptFile(NamedTuple):
    """A transcript in a folder of the projects. `changed` is in seconds since the epoch.

    `version` differs if the content does.
    """

    session: str
    folder: str
    changed: float
    version: tuple[int, int, int, int]


class TranscriptFiles:
    """The transcripts of a CLI with this environment.

    All methods raise OSError. Sessions are ids, as `app.cli.transcripts.is_session_id` checks.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        home = environment.get("HOME") or os.path.expanduser("~")  # noqa: PTH111
        self._projects = projects_folder(home, environment.get("CLAUDE_CONFIG_DIR"))

    @property
    def config_folder(self) -> Path:
        """The CLI's folder, which has the transcripts."""
        return Path(self._projects).parent

    def scan(self) -> dict[str, TranscriptFile]:
        """The transcript of each session; the last one changed, if there are several."""
        found: dict[str, TranscriptFile] = {}
        deadline = time.monotonic() + _SCANNING
        for number, (name, folder) in enumerate(self._folders(deadline)):
            if number == _MOST_FOLDERS:
                break
            with os.scandir(folder) as entries:
                for entry in entries:
                    if time.monotonic() > deadline or len(found) >= _MOST_FILES:
                        return found
                    file = _transcript(name, entry)
                    if file and not (
                        file.session in found and found[file.session].changed > file.changed
                    ):
                        found[file.session] = file
        return found

    def find(self, session: str) -> TranscriptFile | None:
        """The transcript of a session, in any folder: the one that was changed last."""
        deadline = time.monotonic() + _SCANNING
        found = (_status(folder, name, session) for name, folder in self._folders(deadline))
        return max(filter(None, found), key=lambda file: file.changed, default=None)

    def find_in(self, session: str, cwd: str) -> TranscriptFile | None:
        """The transcript of a session that has run in this working directory."""
        try:
            path = transcript_path("", session, os.path.realpath(cwd))
        except ValueError:
            # It contains a NUL.
            path = None
        if path is None:
            return None
        name = path.split("/")[1]
        with (
            folder_at(os.path.realpath(self._projects)) as projects,
            folder_in(projects, name) as folder,
        ):
            return _status(folder, name, session)

    @contextmanager
    def opened(self, file: TranscriptFile) -> Iterator[int]:
        """A descriptor of a transcript."""
        with (
            folder_at(os.path.realpath(self._projects)) as projects,
            folder_in(projects, file.folder) as folder,
        ):
            descriptor = os.open(f"{file.session}{_ENDING}", _FILE, dir_fd=folder)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError("Not a regular file")
            yield descriptor
        finally:
            os.close(descriptor)

    def _folders(self, deadline: float) -> Iterator[tuple[str, int]]:
        """The folders of the projects, each with a descriptor."""
        with (
            folder_at(os.path.realpath(self._projects)) as projects,
            os.scandir(projects) as entries,
        ):
            for entry in entries:
                if time.monotonic() > deadline:
                    return
                try:
                    with folder_in(projects, entry.name) as folder:
                        yield entry.name, folder
                except OSError:
                    # It is a link or a file, or was removed just now.
                    continue


def _status(folder: int, name: str, session: str) -> TranscriptFile | None:
    try:
        status = os.stat(f"{session}{_ENDING}", dir_fd=folder, follow_symlinks=False)
    except OSError:
        return None
    return _file(name, session, status)


def _transcript(folder: str, entry: "os.DirEntry[str]") -> TranscriptFile | None:
    session, ending = entry.name[: -len(_ENDING)], entry.name[-len(_ENDING) :]
    if ending != _ENDING or not is_session_id(session):
        return None
    try:
        return _file(folder, session, entry.stat(follow_symlinks=False))
    except OSError:
        return None


def _file(folder: str, session: str, status: os.stat_result) -> TranscriptFile | None:
    if not stat.S_ISREG(status.st_mode):
        return None
    version = (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)
    return TranscriptFile(session, folder, status.st_mtime, version)
