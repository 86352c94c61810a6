"""The store of responses, without a gateway."""

from pathlib import Path

from app.auth.users import User
from app.responses.store import ResponseStore, StoredResponse

ALICE = User("a", "alice")
CONVERSATION = "5f0c43a6-2d2b-4a57-8d1c-2f0a4a3c9e35"


def record(number: int, previous: str | None = None) -> StoredResponse:
    """A response in the background."""
    return StoredResponse(
        job_id=f"00000000-0000-4000-8000-{number:012}",
        user=ALICE.id,
        request={},
        input=[],
        previous=previous,
        conversation=CONVERSATION,
        is_background=True,
        is_structured=False,
        own_tools=[],
        response=None,
    )


def whole(stored: StoredResponse) -> StoredResponse:
    """The same with a response of one item."""
    item = {"id": f"msg_{stored.job_id}_0", "type": "message"}
    return stored._replace(response={"output": [item]})


def test_a_response_that_was_deleted_stays_so_when_it_is_complete(tmp_path: Path) -> None:
    store, kept, gone = ResponseStore(tmp_path, 60, 1000), record(1), record(2)
    store.add(kept)
    store.add(gone)
    store.remove(gone)
    for each in (kept, gone):
        store.complete(whole(each))
    assert store.find(kept.id, ALICE) == whole(kept)
    assert store.find(gone.id, ALICE) is None


def test_a_conversation_that_has_gone_on_is_not_set_back(tmp_path: Path) -> None:
    """The client of a stream in the background may read its end late."""
    store, first = ResponseStore(tmp_path, 60, 1000), record(1)
    second = record(2, previous=first.id)
    store.add(first)
    store.add(second)
    store.complete(whole(first))
    assert store.last_of(CONVERSATION) == second.id


def test_items_are_found_in_the_responses_of_their_user(tmp_path: Path) -> None:
    store, records = ResponseStore(tmp_path, 60, 1000), [whole(record(n)) for n in (1, 2)]
    for each in records:
        store.add(each)
    ids = [item["id"] for each in records for item in each.output]
    wanted = [*ids, ids[0], "msg_1", f"msg_{record(3).job_id}_0", f"msg_{record(1).job_id}_7"]
    assert store.find_items(wanted, ALICE) == {id: {"id": id, "type": "message"} for id in ids}
    assert store.find_items(wanted, User("b", "bob")) == {}


def test_nothing_is_left_where_responses_are_not_stored_any_more(tmp_path: Path) -> None:
    ResponseStore(tmp_path, 60, 1000).add(record(1))
    ResponseStore(tmp_path, 60, 1000).forget_old()
    assert len(list((tmp_path / "responses").iterdir())) == 2
    ResponseStore(tmp_path, 0, 1000).forget_old()
    assert list((tmp_path / "responses").iterdir()) == []
