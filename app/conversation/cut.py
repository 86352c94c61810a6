"""The cut of an answer at a stop sequence or after a number of tokens. Pure.

The CLI has no such options, so the gateway cuts what it sends. It does not know the model's
tokenizer: four ASCII characters, or one other character, count as a token.
"""

from collections.abc import Sequence


class Cut:
    """Passes a text on in pieces until it must be cut.

    >>> cut = Cut(["END"], None)
    >>> cut.feed("one E"), cut.feed("ND two"), cut.reason
    ('one ', '', 'stop_sequence')
    """

    def __init__(self, stops: Sequence[str], most_tokens: int | None) -> None:
        self._stops = stops
        self._longest = max((len(stop) for stop in stops), default=0)
        # In quarters of a token.
        self._remaining = None if most_tokens is None else most_tokens * 4
        self._held_back = ""
        #: Why the text was cut, in the words of the model's API; None if it was not.
        self.reason: str | None = None
        #: The stop at which it was cut.
        self.stop: str | None = None

    def feed(self, text: str) -> str:
        """The text that can be sent now. The possible beginning of a stop is held back."""
        if self.reason:
            return ""
        text = self._held_back + text
        found = [(at, stop) for stop in self._stops if (at := text.find(stop)) >= 0]
        if found:
            self._held_back = ""
            at, stop = min(found)
            sent = self._limit(text[:at])
            if self.reason is None:
                self.reason, self.stop = "stop_sequence", stop
            return sent
        held_back = self._possible_stop(text)
        self._held_back = text[len(text) - held_back :]
        return self._limit(text[: len(text) - held_back])

    def finish(self) -> str:
        """The text that was held back and turned out to be no stop."""
        held_back, self._held_back = self._held_back, ""
        return "" if self.reason else self._limit(held_back)

    def _possible_stop(self, text: str) -> int:
        """How many of the last characters may begin a stop."""
        for length in range(min(self._longest - 1, len(text)), 0, -1):
            end = text[-length:]
            if any(stop.startswith(end) for stop in self._stops):
                return length
        return 0

    def _limit(self, text: str) -> str:
        if self._remaining is None:
            return text
        for index, character in enumerate(text):
            self._remaining -= 1 if character.isascii() else 4
            if self._remaining < 0:
                self._held_back = ""
                self.reason = "max_tokens"
                return text[:index]
        return text
