"""Which of the CLI's sessions goes on with which conversation; kept on disk, for all workers.

    STATE_DIR/histories/<digest>       the session that was left by a conversation (`history`)
    STATE_DIR/conversations/<session>  the conversations that clients know by the session's id

A session goes on with a history only if nothing was said in it since: its transcript has the
size that it had then. Whoever uses a history takes it away, so that of two requests that go on
with the same history only one gets the session.
"""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from app.auth.users import User
from app.cli.transcripts import Transcripts, is_session_id
from app.state.files import discard, make_folder
from app.state.record_file import read_as, write_record

#: Seconds after which what nobody went on with is forgotten; the CLI keeps sessions as long.
KEPT = 30 * 86_400.0
#: Seconds between two looks for what is that old.
LOOK_AFTER = 3600.0


class Left(NamedTuple):
    """A session as a conversation left it: `size` is its transcript's, in bytes."""

    digest: str
    session_id: str
    size: int


class _History(NamedTuple):
    """What is written of the session that a history left."""

    session_id: str
    size: int


class _Conversation(NamedTuple):
    """What is written of a conversation."""

    id: str
    user: str
    created_at: int
    updated_at: int
    turns: int
    model: str | None
    cwd: str | None
    metadata: dict[str, Any]


class Sessions:
    """The conversations of one state folder."""

    def __init__(self, state: Path, transcripts: Transcripts) -> None:
        self._histories = state / "histories"
        self._conversations = state / "conversations"
        self._transcripts = transcripts
        self._cleaned = 0.0
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self._histories, self._conversations):
            # A job may have put something else there.
            make_folder(str(folder))

    def exists(self, session_id: str, cwd: str) -> bool:
        """Whether something was said in this session already."""
        return self._transcripts.size(session_id, cwd) is not None

    def take(self, digest: str, cwd: str) -> Left | None:
        """The session that goes on with this history, or None. Nobody else gets it."""
        path = self._histories / digest
        record = read_as(_History, str(path))
        if record is None:
            return None
        try:
            path.unlink()
        except OSError:
            # Another request was faster, or a job has taken the folder's rights away.
            return None
        left = Left(digest, *record)
        return left if self._transcripts.size(left.session_id, cwd) == left.size else None

    def give_back(self, left: Left) -> None:
        """Undo `take`: nothing was said in the session."""
        record = _History(left.session_id, left.size)
        self._write(self._histories / left.digest, record._asdict())

    def leave(self, digest: str, session_id: str, cwd: str) -> None:
        """Remember that a session has come to the end of this history."""
        size = self._transcripts.size(session_id, cwd)
        if size is not None:
            self.give_back(Left(digest, session_id, size))
        self._clean()

    def create(self, user: User, metadata: dict[str, Any]) -> dict[str, Any]:
        """A conversation in which nothing was said yet."""
        moment = int(time.time())
        record: dict[str, Any] = {
            "id": str(uuid4()),
            "user": user.id,
            "created_at": moment,
            "updated_at": moment,
            "turns": 0,
            "model": None,
            "cwd": None,
            "metadata": metadata,
        }
        self._write(self._conversations / record["id"], record)
        return record

    def find(self, conversation_id: str, user: User) -> dict[str, Any] | None:
        """A user's conversation, or None."""
        record = self._record(conversation_id)
        return record if record is not None and user.owns(record["user"]) else None

    def is_anothers(self, conversation_id: str, user: User) -> bool:
        """Whether this is a conversation of another user's."""
        record = self._record(conversation_id)
        return record is not None and not user.owns(record["user"])

    def note(self, session_id: str, user: User, cwd: str, model: str | None) -> None:
        """Remember a turn of a session that this user's client may know."""
        if not is_session_id(session_id) or self.is_anothers(session_id, user):
            return
        moment = int(time.time())
        new: dict[str, Any] = {"user": user.id, "created_at": moment, "turns": 0, "metadata": {}}
        known = self.find(session_id, user) or new
        record = {
            "id": session_id,
            # The operator may go on with another user's.
            "user": known["user"],
            "created_at": known["created_at"],
            "updated_at": moment,
            "turns": known["turns"] + 1,
            "model": model,
            "cwd": cwd,
            "metadata": known["metadata"],
        }
        self._write(self._conversations / session_id, record)

    def of(self, user: User) -> list[dict[str, Any]]:
        """A user's conversations, the last used first; the operator's are all."""
        records = (self._record(entry.name) for entry in self._entries(self._conversations))
        oldest = time.time() - KEPT
        mine = [
            record
            for record in records
            if record and user.owns(record["user"]) and record["updated_at"] >= oldest
        ]
        return sorted(mine, key=lambda record: int(record["updated_at"]), reverse=True)

    def _record(self, conversation_id: str) -> dict[str, Any] | None:
        if not is_session_id(conversation_id):
            return None
        record = read_as(_Conversation, str(self._conversations / conversation_id))
        return None if record is None else record._asdict()

    @staticmethod
    def _write(path: Path, record: dict[str, Any]) -> None:
        # A job may have removed the folder.
        make_folder(str(path.parent))
        write_record(str(path), record)

    def _clean(self) -> None:
        now = time.time()
        if now - self._cleaned < LOOK_AFTER:
            return
        self._cleaned = now
        for folder in (self._histories, self._conversations):
            for entry in self._entries(folder):
                with suppress(OSError):
                    if now - entry.stat(follow_symlinks=False).st_mtime > KEPT:
                        discard(entry.path)

    @staticmethod
    def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
        # A job may have removed or replaced it.
        with suppress(OSError), os.scandir(folder) as entries:
            for number, entry in enumerate(entries):
                if number % 50 == 49:
                    # There may be many, and others want to be served.
                    time.sleep(0)
                yield entry
