"""Where an answer is cut."""

from hypothesis import given
from hypothesis import strategies as st

from app.conversation.cut import Cut

# Cuts


@given(st.text("abc", max_size=40), st.lists(st.text("abc", min_size=1, max_size=4)), st.data())
def test_a_text_is_cut_at_the_first_stop(text: str, stops: list[str], data: st.DataObject) -> None:
    cut, sent, at = Cut(stops, None), "", 0
    while at < len(text):
        size = data.draw(st.integers(1, 5))
        sent += cut.feed(text[at : at + size])
        at += size
    sent += cut.finish()
    assert not any(stop in sent for stop in stops)
    if cut.reason is None:
        assert sent == text
    else:
        assert text.startswith(sent)
        assert any(text[len(sent) :].startswith(stop) for stop in stops)


def test_tokens_are_counted_by_letters() -> None:
    cut = Cut([], 2)
    assert cut.feed("12345678") == "12345678"
    assert (cut.reason, cut.feed("9"), cut.reason) == (None, "", "max_tokens")
    assert Cut([], 2).feed("äöü") == "äö"
