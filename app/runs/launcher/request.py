"""What a worker asks of the launcher, out of a line that any process of our user can send. Pure.

Standard library alone, because the launcher imports this.
"""

import json
from typing import Literal, NamedTuple

from app.records.job import is_job_id


class Generation(NamedTuple):
    """What a launcher was started with: `<when>.<what>`."""

    when: int
    what: str

    def is_newer(self, than: "Generation") -> bool:
        """Whether a launcher of the other one must make room for one of this.

        The same thing read again later is not newer.
        """
        return self.what != than.what and self.when > than.when


class Request(NamedTuple):
    """What a worker asks for."""

    asked: Literal["start", "look", "stay"]
    generation: Generation
    job: str
    continues: str | None


def generation_of(text: str) -> Generation:
    """The generation in a text. Raises ValueError."""
    when, separator, what = text.partition(".")
    if not separator or not when.isascii() or not when.isdigit() or len(when) > 20:
        raise ValueError("not a generation")
    return Generation(int(when), what)


def read_request(line: bytes) -> Request:
    """The request in a line: any process of our user can send one. Raises ValueError."""
    try:
        fields = json.loads(line)
    except RecursionError:
        raise ValueError("not a request") from None
    if not isinstance(fields, dict):
        raise ValueError("not a request")
    asked, generation = fields.get("ask"), fields.get("generation")
    job, continues = fields.get("job", ""), fields.get("continues")
    if asked not in ("start", "look", "stay") or not isinstance(generation, str):
        raise ValueError("not a request")
    if asked == "start" and not (isinstance(job, str) and is_job_id(job)):
        raise ValueError("not a job")
    if continues is not None and not isinstance(continues, str):
        raise ValueError("not a session")
    return Request(asked, generation_of(generation), job, continues)
