"""The conversations that clients know: `STATE_DIR/conversations/<session id>`."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from app.auth.users import User
from app.cli.transcripts import is_session_id
from app.conversation.histories import CLEAN_EVERY, KEPT
from app.state.files import make_folder
from app.state.old_files import remove_old_files
from app.state.record_file import read_as, write_record


class ConversationRecord(NamedTuple):
    """A conversation. Its id is its session's, and `user` the id of its user."""

    id: str
    user: str
    created_at: int
    updated_at: int
    turns: int
    model: str | None
    cwd: str | None
    metadata: dict[str, Any]


class Conversations:
    """The conversations of one state folder, for all workers."""

    def __init__(self, state: Path) -> None:
        self._folder = state / "conversations"
        self._cleaned = 0.0
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A job may have put something else there.
        make_folder(str(self._folder))

    def create(self, user: User, metadata: dict[str, Any]) -> ConversationRecord:
        """A new conversation without messages. Raises OSError."""
        now = int(time.time())
        record = ConversationRecord(str(uuid4()), user.id, now, now, 0, None, None, metadata)
        self._write(record)
        return record

    def find(self, conversation_id: str, user: User) -> ConversationRecord | None:
        """A conversation of this user, or None."""
        record = self._read(conversation_id)
        return record if record is not None and user.owns(record.user) else None

    def is_other_users(self, conversation_id: str, user: User) -> bool:
        """Whether the conversation exists and is another user's."""
        record = self._read(conversation_id)
        return record is not None and not user.owns(record.user)

    def record_turn(self, session_id: str, user: User, cwd: str | None, model: str | None) -> None:
        """Record a turn of this user's in a session, in a folder if it has one. Raises OSError."""
        if not is_session_id(session_id) or self.is_other_users(session_id, user):
            return
        now = int(time.time())
        known = self.find(session_id, user)
        if known is None:
            known = ConversationRecord(session_id, user.id, now, now, 0, None, None, {})
        # `user` stays: the operator may continue another user's conversation.
        self._write(
            known._replace(
                id=session_id, updated_at=now, turns=known.turns + 1, model=model, cwd=cwd
            )
        )
        if time.time() - self._cleaned >= CLEAN_EVERY:
            self._cleaned = time.time()
            remove_old_files(str(self._folder), KEPT)

    def of(self, user: User) -> list[ConversationRecord]:
        """A user's conversations, the last used first; for the operator all."""
        oldest = time.time() - KEPT
        records = [
            record
            for record in map(self._read, self._ids())
            if record and user.owns(record.user) and record.updated_at >= oldest
        ]
        return sorted(records, key=lambda record: record.updated_at, reverse=True)

    def _read(self, conversation_id: str) -> ConversationRecord | None:
        if not is_session_id(conversation_id):
            return None
        return read_as(ConversationRecord, str(self._folder / conversation_id))

    def _write(self, record: ConversationRecord) -> None:
        # A job may have removed the folder.
        make_folder(str(self._folder))
        write_record(str(self._folder / record.id), record._asdict())

    def _ids(self) -> Iterator[str]:
        # A job may have removed or replaced the folder.
        with suppress(OSError), os.scandir(self._folder) as entries:
            for number, entry in enumerate(entries):
                if number % 50 == 49:
                    # Other requests are served in between.
                    time.sleep(0)
                yield entry.name
