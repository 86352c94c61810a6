"""Where an answer ends before its end: at a stop text, or after so many tokens. Pure.

The CLI has no such options, so this is done on what is sent. Nobody here knows the model's
tokens: four ASCII characters, or one other character, count as one.
"""

from collections.abc import Sequence
from typing import Literal


class Cut:
    """Passes a text on, piece by piece, up to the place where it is cut.

    >>> cut = Cut(["END"], None)
    >>> cut.feed("one E"), cut.feed("ND two"), cut.reason
    ('one ', '', 'stop')
    """

    def __init__(self, stops: Sequence[str], most_tokens: int | None) -> None:
        self._stops = stops
        self._longest = max((len(stop) for stop in stops), default=0)
        # Quarters of a token.
        self._left = None if most_tokens is None else most_tokens * 4
        self._held = ""
        #: Why the text was cut, or None as long as it was not.
        self.reason: Literal["stop", "length"] | None = None

    def feed(self, text: str) -> str:
        """What may be sent now; a text that may be the beginning of a stop is held back."""
        if self.reason:
            return ""
        text = self._held + text
        found = [at for stop in self._stops if (at := text.find(stop)) >= 0]
        if found:
            self._held = ""
            sent = self._shorten(text[: min(found)])
            self.reason = self.reason or "stop"
            return sent
        held = self._beginning(text)
        self._held = text[len(text) - held :]
        return self._shorten(text[: len(text) - held])

    def finish(self) -> str:
        """What was held back and is no stop after all."""
        held, self._held = self._held, ""
        return "" if self.reason else self._shorten(held)

    def _beginning(self, text: str) -> int:
        """How many of the last characters may begin a stop."""
        for length in range(min(self._longest - 1, len(text)), 0, -1):
            end = text[-length:]
            if any(stop.startswith(end) for stop in self._stops):
                return length
        return 0

    def _shorten(self, text: str) -> str:
        if self._left is None:
            return text
        for index, character in enumerate(text):
            self._left -= 1 if character.isascii() else 4
            if self._left < 0:
                self._held = ""
                self.reason = "length"
                return text[:index]
        return text
