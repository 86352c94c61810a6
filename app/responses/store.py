"""The responses that are stored: `STATE_DIR/responses/<job id>`.

A response that continues another one has only its own items, and the id of the one before: so a
conversation takes no more room than its items. Each response of it counts as written when it is
used. `<conversation id>.last` names the last response of a conversation.
"""

import logging
import os
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from app.auth.users import User
from app.cli.transcripts import is_session_id
from app.records.job_id import is_job_id
from app.state.files import discard, make_folder
from app.state.old_files import remove_old_files
from app.state.record_file import read_as, read_record, write_record

log = logging.getLogger(__name__)

#: What comes before the job's id in the id of a response.
PREFIX = "resp_"
# Seconds between two searches for old ones.
_CLEAN_EVERY = 3600.0
# Bytes of a record for a byte of a body, at most: a record escapes what is not ASCII.
_GROWTH = 3
# Bytes of a response beside what its request has.
_LARGEST_ANSWER = 32 << 20
_ITEM_ID = re.compile(r"[a-z]+_([0-9a-f-]{36})_([0-9]{1,5})")


class StoredResponse(NamedTuple):
    """A response. `user` is the id of its user, `job_id` that of its job.

    `request` has the parameters without `input` and options, `input` the items. `previous` is the
    id of the response before it, `conversation` that of its conversation. `is_structured`: the text
    follows a schema. `own_tools` are the CLI's tools that the model has beside the client's; None
    in agent mode. `response` is the whole response, None until it is first read after its job
    has ended in the background.
    """

    job_id: str
    user: str
    request: dict[str, Any]
    input: list[dict[str, Any]]
    previous: str | None
    conversation: str | None
    is_background: bool
    is_structured: bool
    own_tools: list[str] | None
    response: dict[str, Any] | None

    @property
    def id(self) -> str:
        """The id of the response."""
        return f"{PREFIX}{self.job_id}"

    @property
    def output(self) -> list[dict[str, Any]]:
        """The items of the output so far."""
        found = (self.response or {}).get("output")
        items = found if isinstance(found, list) else []
        return [item for item in items if isinstance(item, dict)]


class ResponseStore:
    """The responses of one state folder, for all workers; each is kept for `retention` seconds."""

    def __init__(self, state: Path, retention: float, max_body: int) -> None:
        self._folder = state / "responses"
        self.retention = retention
        self._largest = max_body * _GROWTH + _LARGEST_ANSWER
        self._cleaned = 0.0

    @property
    def is_enabled(self) -> bool:
        """Whether responses are stored at all."""
        return self.retention > 0

    def find(self, response_id: str, user: User) -> StoredResponse | None:
        """A response of this user, or None."""
        job_id = response_id.removeprefix(PREFIX)
        if not response_id.startswith(PREFIX) or not is_job_id(job_id):
            return None
        record = self._read(job_id)
        return record if record is not None and user.may_see(record.user) else None

    def find_item(self, item_id: str, user: User) -> dict[str, Any] | None:
        """An item of the output of one of this user's responses, or None."""
        match = _ITEM_ID.fullmatch(item_id)
        record = self.find(f"{PREFIX}{match[1]}", user) if match else None
        output = record.output if record else []
        return next((item for item in output if item.get("id") == item_id), None)

    def write(self, record: StoredResponse) -> None:
        """Write or replace a response. Raises OSError."""
        # A job may have removed the folder.
        make_folder(str(self._folder))
        write_record(self._path(record.job_id), record._asdict())
        if time.time() - self._cleaned >= _CLEAN_EVERY:
            self._cleaned = time.time()
            remove_old_files(str(self._folder), self.retention)

    def try_to_write(self, record: StoredResponse) -> None:
        """Write a response whose client has it already: a failure is logged."""
        try:
            self.write(record)
        except OSError as error:
            log.error("cannot store the response of job %s: %s", record.job_id, error)

    def keep(self, record: StoredResponse) -> None:
        """Have a response kept for the whole retention from now on."""
        with suppress(OSError):
            os.utime(self._path(record.job_id), follow_symlinks=False)

    def remove(self, record: StoredResponse) -> None:
        """Remove a response; its conversation then ends with the one before it. Raises OSError."""
        conversation = record.conversation
        if conversation is not None and self.last_of(conversation) == record.id:
            if record.previous is None:
                discard(self._last_path(conversation))
            else:
                self.set_last_of(conversation, record.previous)
        discard(self._path(record.job_id))

    def last_of(self, conversation_id: str) -> str | None:
        """The id of the last response of a conversation, if it has one."""
        found = (read_record(self._last_path(conversation_id)) or {}).get("response")
        return found if isinstance(found, str) else None

    def set_last_of(self, conversation_id: str, response_id: str) -> None:
        """Record the last response of a conversation. Raises OSError."""
        make_folder(str(self._folder))
        write_record(self._last_path(conversation_id), {"response": response_id})

    def _read(self, job_id: str) -> StoredResponse | None:
        path = self._path(job_id)
        try:
            age = time.time() - os.lstat(path).st_mtime
        except OSError:
            return None
        return None if age > self.retention else read_as(StoredResponse, path, self._largest)

    def _path(self, job_id: str) -> str:
        return str(self._folder / job_id)

    def _last_path(self, conversation_id: str) -> str:
        # It is found already, so that this is an id.
        name = conversation_id if is_session_id(conversation_id) else "none"
        return str(self._folder / f"{name}.last")
