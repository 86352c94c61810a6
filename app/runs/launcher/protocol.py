"""The protocol of the launcher's socket, `STATE_DIR/launcher`: requests, parsed from lines. Pure.

A connection carries one request, as JSON on one line:

    {"ask": "start", "generation": …, "job": …, "continues": …, "spare": …}
        →  started | failed <why>    from the supervisor
           queued                    the job runs when a slot and its session are free
           full                      the queue is full; the job is not started
           known                     the job is claimed; its folder has its state
    {"ask": "look", "generation": …}
        →  nothing; the launcher drops queued jobs that were cancelled
    {"ask": "stay", "generation": …}
        →  `staying`, then a line `started <id>` for each queued job that starts and `ended <id>`
           for each job that ends, each sent to one subscriber; the connection stays open for as
           long as the launcher runs

The launcher answers a request of a newer generation (other code, another CLI, environment or
limits) with `stale`, and exits. A connection that closes without an answer means that the launcher
or the supervisor died.

Standard library alone, because the launcher imports this.
"""

import json
from typing import Literal, NamedTuple

from app.records.job_id import is_job_id


class Generation(NamedTuple):
    """What a launcher was started with: `<when>.<what>`."""

    when: int
    what: str

    def is_newer(self, than: "Generation") -> bool:
        """Whether a launcher of generation `than` is replaced by one of this generation.

        The same configuration, read again later, is not newer.
        """
        return self.what != than.what and self.when > than.when


class Request(NamedTuple):
    """A worker's request; `job`, `continues` and `spare` belong to `start`."""

    command: Literal["start", "look", "stay"]
    generation: Generation
    job: str
    continues: str | None
    spare: bool


def parse_generation(text: str) -> Generation:
    """Parse a generation. Raises ValueError."""
    when, separator, what = text.partition(".")
    if not separator or not when.isascii() or not when.isdigit() or len(when) > 20:
        raise ValueError("not a generation")
    return Generation(int(when), what)


def parse_request(line: bytes) -> Request:
    """Parse a line, which any process of the gateway's user can send. Raises ValueError."""
    try:
        fields = json.loads(line)
    except RecursionError:
        raise ValueError("not a request") from None
    if not isinstance(fields, dict):
        raise ValueError("not a request")
    command, generation = fields.get("ask"), fields.get("generation")
    job, continues = fields.get("job", ""), fields.get("continues")
    if command not in ("start", "look", "stay") or not isinstance(generation, str):
        raise ValueError("not a request")
    if command == "start" and not (isinstance(job, str) and is_job_id(job)):
        raise ValueError("not a job")
    if continues is not None and not isinstance(continues, str):
        raise ValueError("not a session")
    spare = fields.get("spare") is True
    return Request(command, parse_generation(generation), job, continues, spare)
