"""The cache of answers: an equal request of the same user gets the answer of an earlier one.

An answer is kept as the job that gave it. So the cache has no files but those of idempotency keys
(`app.jobs.idempotency`): each leads from the digest of a request to its job, whose output is read
again. While that job runs, equal requests join it, at any worker. Removing the job removes its
answer from the cache.

Only answers for which nothing was done are served: those of a model without tools and session,
which ended by themselves.
"""

import hashlib
import json
import math
import time
from collections.abc import Mapping
from functools import partial
from typing import Literal, NamedTuple

from flask import Request, Response, after_this_request

from app.conversation.messages import image_urls
from app.conversation.turn_request import TurnRequest
from app.conversation.turns import Turn
from app.http.start_job import StartedJob
from app.jobs.idempotency import Key
from app.metrics import Metrics
from app.records.job import Job

#: How a request was answered: by an earlier job, by one that still runs, or by a job of its own.
Outcome = Literal["hit", "joined", "miss"]

# What changes only the form of an answer.
_FORM = ("store", "stream", "stream_options")
_HEADERS = ("anthropic-beta", "anthropic-version")
_OPTIONS = "x-claude-"
# No key of a client has a space.
_PREFIX = "answer "


class AnswerCache(NamedTuple):
    """The cache; answers are served for `seconds`, and 0 turns it off.

    `environment` is the CLI's: with another one, such as another API, answers are others.
    """

    seconds: float
    environment: Mapping[str, str]
    metrics: Metrics

    def keyed(
        self, turn: Turn, asked: TurnRequest, request: Request, body: bytes, version: str
    ) -> Turn:
        """The turn with a key for its answer, if that may be served to others of this user.

        `body` is that of the HTTP `request`, and `version` the CLI's. Heeds the directives
        `no-cache`, `no-store` and `max-age` of the request's Cache-Control (RFC 9111).
        """
        wanted = request.cache_control
        if not self.seconds or wanted.no_store or not _is_harmless(turn, asked):
            return turn
        most = self.seconds
        if wanted.max_age is not None:
            most = min(most, wanted.max_age)
        if wanted.no_cache:
            most = 0.0
        digest = self._digest(turn, request, body, version)
        key = Key(_PREFIX + digest, digest, partial(_serves, most=most, structured=turn.structured))
        return turn._replace(spec=turn.spec._replace(key=key))

    def note(self, turn: Turn, started: StartedJob) -> None:
        """Count the answer to a request whose turn `keyed` has made, and set its headers."""
        key = turn.spec.key
        if key is None or key.serves is None:
            return
        age = None
        outcome: Outcome = "miss"
        if not started.is_new:
            has_ended = started.job.has_ended()
            outcome = "hit" if has_ended else "joined"
            age = time.time() - started.job.end_time() if has_ended else 0.0
        self.metrics.count_cached(outcome)
        after_this_request(partial(_add_headers, outcome, age))

    @staticmethod
    def replays(turn: Turn, started: StartedJob) -> bool:
        """Whether the answer to such a request is that of an earlier one."""
        key = turn.spec.key
        return key is not None and key.serves is not None and not started.has_answer

    def _digest(self, turn: Turn, request: Request, body: bytes, version: str) -> str:
        # It was validated before.
        fields = {name: value for name, value in json.loads(body).items() if name not in _FORM}
        headers = sorted(
            (name.lower(), value)
            for name, value in request.headers.items()
            if name.lower() in _HEADERS or name.lower().startswith(_OPTIONS)
        )
        served_by = [version, turn.spec.model, sorted(self.environment.items())]
        text = json.dumps([request.path, served_by, headers, fields], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def _is_harmless(turn: Turn, asked: TurnRequest) -> bool:
    """Whether nothing is done for the answer, and nothing decides on it but the request."""
    tools, spec = turn.tools, turn.spec
    return (
        tools is not None
        and not tools.offered()
        and not tools.own
        and spec.key is None
        and spec.answers is None
        and not spec.detached
        and not turn.with_lines
        and all(url.startswith("data:") for url in image_urls(asked.prompt_messages))
    )


def _serves(job: Job, most: float, structured: bool) -> bool:
    """Whether a job's answer serves an equal request, if it is at most so many seconds old.

    A `structured` answer ends with a call of the CLI's own tool for it.
    """
    if most <= 0:
        return False
    end = job.end()
    if end is None:
        return not job.is_to_be_cancelled()
    result = end.result or {}
    ends = ("end_turn", "tool_use") if structured else ("end_turn",)
    is_whole = end.status == "succeeded" and result.get("stop_reason") in ends
    return is_whole and time.time() - job.end_time() <= most


def _add_headers(outcome: Outcome, age: float | None, response: Response) -> Response:
    response.headers["X-Cache"] = outcome
    if age is not None:
        response.headers["Age"] = str(max(0, math.floor(age)))
    return response
