"""What Prometheus is told. Names and units as its conventions have them.

Several processes count, each in files of its own, which `render` adds up (prometheus_client's
multiprocess mode). The files have the worker's number in their names: a worker goes on counting
where the one ended that had the number before, so that no counter falls and the files do not
become more. They are written by `app.state.counter_file` and not through memory: neither a full
disk nor a job that cuts such a file off can end a process.
"""

import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
    values,
)
from prometheus_client.core import GaugeMetricFamily, Metric

from app.state.counter_file import CounterFile
from app.state.files import discard, make_folder

log = logging.getLogger(__name__)

# Where prometheus_client takes its own kind of file from.
for module in (multiprocess, values):
    setattr(module, "MmapedDict", CounterFile)  # noqa: B010 - it is not one that they export

_STATUSES = ("succeeded", "failed", "cancelled", "timed_out", "lost")
_REFUSALS = ("not_authenticated", "invalid_credentials", "too_many_attempts")
# What the tokens of a result line are called here, and there.
_TOKENS = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cache_read": "cache_read_input_tokens",
    "cache_creation": "cache_creation_input_tokens",
}
# More than any job costs or uses; beyond it is what is no number.
_MOST = 1e12
_DURATIONS = (0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400)
_FIRST_LINES = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 180, 600)


def forget_all(folder: Path) -> None:
    """Before any process counts: begin with zero."""
    for file in folder.glob("*.db"):
        discard(str(file))


def forget_worker(folder: Path, number: int) -> None:
    """A worker has ended: what it counted stays, what it had at the moment does not."""
    discard(f"{folder}/gauge_livesum_{number}.db")


class Metrics:
    """The counters of this process, which alone has this number at the moment."""

    def __init__(self, folder: Path, number: int) -> None:
        self._folder = folder
        #: The lowest is 0.
        self.number = number
        try:
            make_folder(str(folder))
            # prometheus_client takes the folder from there.
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
            values.ValueClass = values.MultiProcessValue(lambda: number)  # type: ignore[no-untyped-call]
        except OSError as error:
            log.error("the metrics of this process will be missing: %s", error)
            # It counts in its memory, where nobody looks.
            values.ValueClass = values.MutexValue
        # No registry: `render` reads the files.
        self._ended = Counter(
            "claudecode2api_jobs_ended", "Jobs that ended.", ["status"], registry=None
        )
        self._durations = Histogram(
            "claudecode2api_job_duration_seconds",
            "From a job's request to its end.",
            ["status"],
            buckets=_DURATIONS,
            registry=None,
        )
        self._first_lines = Histogram(
            "claudecode2api_job_first_line_seconds",
            "From a job's request to its first line, as its first reader saw it.",
            buckets=_FIRST_LINES,
            registry=None,
        )
        self._lines = Counter(
            "claudecode2api_forwarded_lines", "Lines sent to clients.", registry=None
        )
        self._bytes = Counter(
            "claudecode2api_forwarded_bytes",
            "Bytes of jobs' output sent to clients, without framing.",
            registry=None,
        )
        self._streams = Gauge(
            "claudecode2api_open_streams",
            "Streams that clients read now.",
            registry=None,
            multiprocess_mode="livesum",
        )
        self._cost = Counter(
            "claudecode2api_cost_dollars", "What jobs cost, by their result lines.", registry=None
        )
        self._tokens = Counter(
            "claudecode2api_tokens",
            "Tokens of jobs, by their result lines.",
            ["kind"],
            registry=None,
        )
        self._refused = Counter(
            "claudecode2api_authentication_failures",
            "Requests refused for their credentials.",
            ["reason"],
            registry=None,
        )

        self._dropped_lines = Counter(
            "claudecode2api_dropped_log_lines",
            "Lines of the log that were dropped because standard error was not read.",
            registry=None,
        )

        # From the start on each is there with 0: a rate needs a value to begin with.
        for status in _STATUSES:
            self._ended.labels(status)
            self._durations.labels(status)
        for kind in _TOKENS:
            self._tokens.labels(kind)
        for reason in _REFUSALS:
            self._refused.labels(reason)

    def count_end(self, status: str, seconds: float, result: Mapping[str, Any] | None) -> None:
        """A job has ended, so many seconds after its request; `result` is its last line's."""
        self._ended.labels(status).inc()
        self._durations.labels(status).observe(max(0.0, seconds))
        said = result or {}
        self._cost.inc(cost_in(said))
        for kind, tokens in tokens_in(said).items():
            self._tokens.labels(kind).inc(tokens)

    def count_first_line(self, seconds: float) -> None:
        """The client that started a job got the first of its lines."""
        self._first_lines.observe(seconds)

    def count_forwarded(self, lines: int, size: int) -> None:
        """So many lines, and bytes of output, were sent to a client."""
        self._lines.inc(lines)
        self._bytes.inc(size)

    def count_refusal(self, reason: str) -> None:
        """A request was refused for its credentials."""
        self._refused.labels(reason).inc()

    def count_dropped_lines(self, lines: int) -> None:
        """So many lines of this process's log were dropped."""
        self._dropped_lines.inc(lines)

    def count_stream(self, change: int) -> None:
        """A stream was opened (1) or has ended (-1)."""
        self._streams.inc(change)

    def render(self, gauges: Iterable[tuple[str, str, Mapping[str, str], float]]) -> bytes:
        """Everything, over all processes, with these gauges of the moment.

        Each is a name, what it means, its labels, and its value; in Prometheus's text format.
        """
        families: dict[str, GaugeMetricFamily] = {}
        for name, meaning, labels, value in gauges:
            family = families.setdefault(
                name, GaugeMetricFamily(name, meaning, labels=list(labels))
            )
            family.add_metric(list(labels.values()), value)

        class Now:
            def collect(self) -> Iterable[GaugeMetricFamily]:
                return families.values()

        class Counted:
            def collect(self) -> Iterable[Metric]:
                return list(merge(sound))  # type: ignore[no-untyped-call]

        merge = multiprocess.MultiProcessCollector.merge
        sound = [str(file) for file in self._folder.glob("*.db") if _is_sound(file)]
        registry = CollectorRegistry()
        registry.register(Counted())
        registry.register(Now())
        return generate_latest(registry)


def _is_sound(file: Path) -> bool:
    """Whether a file can be added up; a job can write one that cannot."""
    try:
        multiprocess.MultiProcessCollector.merge([str(file)])  # type: ignore[no-untyped-call]
    except Exception as error:
        log.warning("the metrics in %s are left out: %s", file, type(error).__name__)
        return False
    return True


def cost_in(result: Mapping[str, Any]) -> float:
    """What a `result` line says that the job cost, in US dollars."""
    return _amount(result.get("total_cost_usd"))


def tokens_in(result: Mapping[str, Any]) -> dict[str, int]:
    """The tokens of a `result` line, by their kind."""
    usage = result.get("usage")
    said = usage if isinstance(usage, dict) else {}
    return {kind: int(_amount(said.get(name))) for kind, name in _TOKENS.items()}


def _amount(value: object) -> float:
    """What the CLI wrote, if that can be added up: nothing makes sure of it.

    >>> [_amount(value) for value in (0.25, 7, -1, True, "7", None, float("nan"), 10**400)]
    [0.25, 7.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < _MOST:
        return float(value)
    return 0.0
