"""When two histories of messages count as the same."""

from typing import Any

from app.conversation import digests
from tests.support.messages import messages_of

# History


def test_a_text_counts_the_same_in_however_many_parts() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert digests.add_message("", messages_of(("user", "ab"))[0]) == digests.add_message(
        "", messages_of(("user", parts))[0]
    )


def test_an_answer_counts_as_the_client_sends_it_back() -> None:
    start = digests.start_digest("u", "/")
    assert digests.digests_of(start, messages_of(("user", "a"), ("assistant", "b")))[-1] == (
        digests.add_answer(digests.add_message(start, messages_of(("user", "a"))[0]), "b")
    )


def test_every_difference_is_another_history() -> None:
    image = [{"type": "image_url", "image_url": {"url": "a"}}]
    starts = [("u", "/", "s"), ("v", "/", "s"), ("u", "/x", "s"), ("u", "/", "t")]
    contents: list[tuple[str, Any]] = [("user", "a"), ("user", "b"), ("system", "a")]
    contents.append(("user", image))
    seen = {
        digests.add_message(digests.start_digest(*start), message)
        for start in starts
        for message in messages_of(*contents)
    }
    assert len(seen) == 16
