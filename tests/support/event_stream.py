"""A client of `GET /events`."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import requests

from tests.support.gateway import Gateway


class Change(NamedTuple):
    """An event, or with the name "" a block that has only an id."""

    name: str
    data: dict[str, Any]
    id: str | None


class EventStream:
    """An open stream of events. A context manager."""

    def __init__(self, gateway: Gateway, after: str | None = None, **named: Any) -> None:
        params = {} if after is None else {"last_event_id": after}
        self.response: requests.Response = gateway.ask(
            "GET", "/events", params=params, stream=True, **named
        )
        assert self.response.status_code == 200, self.response.text
        self.last_id = after
        self._blocks = self._read()
        first = next(self._blocks)
        #: Whether the stream began with `reset`.
        self.is_reset = first.name == "reset"
        if self.is_reset:
            first = next(self._blocks)
        assert first.name == "" and first.id, first

    def __enter__(self) -> "EventStream":
        return self

    def __exit__(self, *_: object) -> None:
        self.response.close()

    def __iter__(self) -> Iterator[Change]:
        return self._blocks

    def until(self, name: str, **wanted: Any) -> dict[str, Any]:
        """The data of the next event with this name and these values."""
        for change in self._blocks:
            if change.name == name and wanted.items() <= change.data.items():
                return change.data
        raise AssertionError(f"the stream ended without {name} {wanted}")

    def _read(self) -> Iterator[Change]:
        name, data, identity, rest = "", "", None, b""
        for chunk in self.response.raw.stream(65536, decode_content=False):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                field, _, value = line.decode().partition(": ")
                if field == "event":
                    name = value
                elif field == "data":
                    data = value
                elif field == "id":
                    self.last_id = identity = value
                elif not line and (name or identity):
                    yield Change(name, json.loads(data or "{}"), identity)
                    name, data, identity = "", "", None
