"""The responses that are stored: `STATE_DIR/responses/<job id>`.

A response that continues another one has only its own items, and the id of the one before: so a
conversation takes no more room than its items. Each response of it counts as written when it is
used. `<conversation id>.last` names the last response of a conversation.
"""

import logging
import os
import re
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from app.auth.users import User
from app.cli.transcripts import is_session_id
from app.conversation.errors import BadParameter
from app.records.job_id import is_job_id
from app.settings import Settings
from app.state.files import discard, is_there, make_folder
from app.state.old_files import remove_old_files
from app.state.record_file import read_as, read_record, write_record

log = logging.getLogger(__name__)

#: What comes before the job's id in the id of a response.
PREFIX = "resp_"
# Bytes of a record for a byte of a body, at most: a record escapes what is not ASCII.
_GROWTH = 3
# Bytes of a response beside what its request has.
_LARGEST_ANSWER = 32 << 20
_ITEM_ID = re.compile(r"[a-z]+_([0-9a-f-]{36})_([0-9]{1,5})")


class StoredResponse(NamedTuple):
    """A response. `user` is the id of its user, `job_id` that of its job.

    If its answer came from the cache, no job has the `job_id`: it is the response's alone.
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
        #: The most bytes of responses that a request reads, beside one of them.
        self.most_read = max_body

    @classmethod
    def of(cls, settings: Settings) -> "ResponseStore":
        """The store with these settings."""
        return cls(settings.state_dir, settings.response_retention, settings.max_body)

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

    def size(self, record: StoredResponse) -> int:
        """Bytes of the record of a response."""
        try:
            return os.lstat(self._path(record.job_id)).st_size
        except OSError:
            # It was removed just now.
            return 0

    def find_items(self, item_ids: Iterable[str], user: User) -> dict[str, dict[str, Any]]:
        """The items with these ids, as far as this user's responses have them in their output.

        Each response is read once. Raises BadParameter if they are too large together.
        """
        wanted = set(item_ids)
        matches = map(_ITEM_ID.fullmatch, wanted)
        found: dict[str, dict[str, Any]] = {}
        size = 0
        for job_id in {match[1] for match in matches if match}:
            record = self.find(f"{PREFIX}{job_id}", user)
            # However long a response is, its items can be referred to.
            size += self.size(record) if record and found else 0
            if size > self.most_read:
                raise BadParameter(
                    "input",
                    f"The responses with the items that are referred to have more than"
                    f" {self.most_read} bytes (MAX_BODY): send the items themselves",
                )
            for item in record.output if record else []:
                item_id = item.get("id")
                if isinstance(item_id, str) and item_id in wanted:
                    found[item_id] = item
            # Other requests are served in between.
            time.sleep(0)
        return found

    def add(self, record: StoredResponse) -> None:
        """Write a response, as the last one of its conversation. Raises OSError."""
        self._write(record)
        if record.conversation is not None:
            self._set_last_of(record.conversation, record.id)

    def complete(self, record: StoredResponse) -> None:
        """Replace a response by the whole one, unless it was deleted meanwhile.

        Its conversation may have gone on. A failure is logged: the client has the response already.
        """
        if not is_there(self._path(record.job_id)):
            return
        try:
            self._write(record)
        except OSError as error:
            log.error("cannot store the response of job %s: %s", record.job_id, error)

    def _write(self, record: StoredResponse) -> None:
        # A job may have removed the folder.
        make_folder(str(self._folder))
        write_record(self._path(record.job_id), record._asdict())

    def forget_old(self) -> None:
        """Remove the responses that are no longer kept; all, if none are stored."""
        remove_old_files(str(self._folder), self.retention)

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
                self._set_last_of(conversation, record.previous)
        discard(self._path(record.job_id))

    def last_of(self, conversation_id: str) -> str | None:
        """The id of the last response of a conversation, if it has one."""
        found = (read_record(self._last_path(conversation_id)) or {}).get("response")
        return found if isinstance(found, str) else None

    def _set_last_of(self, conversation_id: str, response_id: str) -> None:
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
