"""The items of a conversation before a request: those of the responses that it continues."""

import time
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import ValidationError

from app.auth.users import User
from app.conversation.conversations import Conversations
from app.conversation.errors import BadParameter, ConversationNotFound
from app.responses.input_items import REFERENCE, InputItem
from app.responses.replay import Replay
from app.responses.request_body import ResponseRequest
from app.responses.store import StoredResponse

#: The most responses of a conversation that are read.
MOST_RESPONSES = 10_000


class Before(NamedTuple):
    """The items before a request, and the id of the last response before it, if there is one."""

    items: list[InputItem]
    response_id: str | None


@dataclass(frozen=True)
class History:
    """Finds the items."""

    replay: Replay
    conversations: Conversations

    def before(self, request: ResponseRequest, user: User) -> Before:
        """What comes before a request. Raises BadParameter and ConversationNotFound."""
        previous = request.previous_response_id
        if request.conversation is not None:
            if previous is not None:
                raise BadParameter(
                    "previous_response_id", "Give either previous_response_id or conversation"
                )
            conversation = request.conversation.id
            if self.conversations.find(conversation, user) is None:
                raise ConversationNotFound(conversation)
            previous = self._last_of(conversation, user)
        if previous is None:
            return Before([], None)
        items: list[InputItem] = []
        for record in reversed(self._chain(previous, user)):
            items += _items_of(record)
            # Other requests are served in between.
            time.sleep(0)
        return Before(items, previous)

    def _last_of(self, conversation: str, user: User) -> str | None:
        """The id of the last response of a conversation that is kept.

        Others were deleted, or not used for so long; or their job was never started, or was not
        read as long as it was kept.
        """
        last = self.replay.store.last_of(conversation)
        # A job may have made a circle of the records.
        for _ in range(MOST_RESPONSES):
            record = None if last is None else self.replay.store.find(last, user)
            if record is None:
                break
            if self.replay.is_kept(record, user):
                return last
            last = record.previous
            time.sleep(0)
        return None

    def resolved(self, request: ResponseRequest, user: User) -> list[dict[str, Any]]:
        """The items of a request, with stored ones in the place of references to them.

        Raises BadParameter.
        """
        references = [str(item.id) for item in request.input if item.kind == REFERENCE]
        referred = self.replay.store.find_items(references, user)
        found = []
        for index, item in enumerate(request.input):
            fields = item.model_dump(exclude_unset=True)
            if item.kind == REFERENCE:
                stored = referred.get(str(item.id))
                if stored is None:
                    raise BadParameter(
                        f"input[{index}].id", f"There is no stored item {str(item.id)[:100]!r}"
                    )
                fields = stored
            found.append(fields)
        return found

    def _chain(self, response_id: str, user: User) -> list[StoredResponse]:
        """A response and those before it, the newest first. Raises BadParameter."""
        found: list[StoredResponse] = []
        size = 0
        following: str | None = response_id
        while following is not None:
            if len(found) == MOST_RESPONSES:
                raise _too_long(f"{MOST_RESPONSES} responses")
            record = self.replay.store.find(following, user)
            if record is None:
                raise BadParameter(
                    "previous_response_id",
                    f"There is no stored response {following[:100]!r}",
                    "previous_response_not_found",
                )
            record = self.replay.current(record, user)
            if (record.response or {}).get("status") in ("queued", "in_progress"):
                raise BadParameter(
                    "previous_response_id", f"The response {following[:100]!r} has not ended"
                )
            # However long a response is, the next one can continue it.
            size += self.replay.store.size(record) if found else 0
            if size > self.replay.store.most_read:
                raise _too_long(f"{self.replay.store.most_read} bytes (MAX_BODY)")
            self.replay.store.keep(record)
            # Other requests are served in between.
            time.sleep(0)
            found.append(record)
            following = record.previous
        return found


def _too_long(limit: str) -> BadParameter:
    return BadParameter(
        "previous_response_id",
        f"The conversation has more than {limit}: begin a new one, with the items that matter in"
        " input",
    )


def _items_of(record: StoredResponse) -> list[InputItem]:
    """The items of a response, those of its input first. Raises BadParameter."""
    try:
        return [InputItem.model_validate(item) for item in [*record.input, *record.output]]
    except ValidationError:
        # A job has changed the record.
        raise BadParameter(
            "previous_response_id", f"The stored response {record.id!r} is damaged"
        ) from None
