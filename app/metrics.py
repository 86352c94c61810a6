"""The metrics for Prometheus, with names and units by its conventions.

Each worker counts in its own files, and `render` adds them up (prometheus_client's multiprocess
mode). The files are named after the worker's number, and a new worker continues the files of the
last one with its number: counters never fall, and the number of files stays bounded. The files
are written by `app.state.counter_file` instead of mapped into memory, so that neither a full disk
nor a job that truncates a file can kill a process.
"""

import logging
import os
from collections.abc import Iterable, Mapping
from functools import partial
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

from app.cli.cost import TOKEN_KINDS, cost_in, tokens_in
from app.state.counter_file import CounterFile
from app.state.files import discard, make_folder

log = logging.getLogger(__name__)

# prometheus_client looks its file class up in these modules.
for module in (multiprocess, values):
    setattr(module, "MmapedDict", CounterFile)  # noqa: B010 - they do not export it

_STATUSES = ("succeeded", "failed", "cancelled", "timed_out", "lost")
_START_KINDS = ("cold", "resumed", "kept", "spare")
_REFUSALS = ("not_authenticated", "invalid_credentials", "too_many_attempts")
_RETRIED_STARTS = "claudecode2api_retried_starts"
_CACHE_REQUESTS = "claudecode2api_cache_requests"
_CACHED = ("hit", "joined", "miss")
_DURATIONS = (0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400)
_RUN_FIRST_LINES = (0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10, 30, 60, 600)
_FIRST_LINES = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 180, 600)


def forget_all(folder: Path) -> None:
    """Reset all metrics, before any worker counts."""
    for file in folder.glob("*.db"):
        discard(str(file))


def forget_worker(folder: Path, number: int) -> None:
    """Remove the gauges of a worker that has ended; its counters stay."""
    discard(f"{folder}/gauge_livesum_{number}.db")


class Metrics:
    """The metrics of this process. No other running process has the same number."""

    def __init__(self, folder: Path, number: int) -> None:
        self._folder = folder
        #: From 0.
        self.number = number
        try:
            make_folder(str(folder))
            # prometheus_client reads the folder from this variable.
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
            values.ValueClass = values.MultiProcessValue(lambda: number)  # type: ignore[no-untyped-call]
        except OSError as error:
            log.error("the metrics of this process will be missing: %s", error)
            # Count in memory, although nothing reads it.
            values.ValueClass = values.MutexValue
        # Without a registry: `render` reads the files.
        counter = partial(Counter, registry=None)
        histogram = partial(Histogram, registry=None)
        self._ended = counter("claudecode2api_jobs_ended", "Jobs that ended.", ["status"])
        self._durations = histogram(
            "claudecode2api_job_duration_seconds",
            "Seconds from a job's request to its end.",
            ["status"],
            buckets=_DURATIONS,
        )
        self._first_lines = histogram(
            "claudecode2api_job_first_line_seconds",
            "Seconds from a job's request until its first client got its first line.",
            buckets=_FIRST_LINES,
        )
        self._run_starts = counter(
            "claudecode2api_run_starts",
            "How the jobs that ended got their process of the CLI.",
            ["kind"],
        )
        self._run_first_lines = histogram(
            "claudecode2api_run_first_line_seconds",
            "Seconds from a job's request to its first line, by the way it got its process.",
            ["kind"],
            buckets=_RUN_FIRST_LINES,
        )
        self._lines = counter("claudecode2api_forwarded_lines", "Lines sent to clients.")
        self._bytes = counter(
            "claudecode2api_forwarded_bytes",
            "Bytes of jobs' output sent to clients, without framing.",
        )
        self._streams = Gauge(
            "claudecode2api_open_streams",
            "Streams that are open now.",
            registry=None,
            multiprocess_mode="livesum",
        )
        self._cost = counter(
            "claudecode2api_cost_dollars", "Cost of jobs in US dollars, from their result lines."
        )
        self._tokens = counter(
            "claudecode2api_tokens", "Tokens of jobs, from their result lines.", ["kind"]
        )
        self._refused = counter(
            "claudecode2api_authentication_failures",
            "Requests refused because of their credentials.",
            ["reason"],
        )
        self._retried_starts = counter(
            _RETRIED_STARTS,
            "Jobs that have ended whose CLI was started at the second attempt or later.",
        )
        self._cached = counter(
            _CACHE_REQUESTS,
            "Requests whose answers may be cached, by how they were answered.",
            ["result"],
        )
        self._dropped_lines = counter(
            "claudecode2api_dropped_log_lines",
            "Lines of the log that were dropped because standard error was not read.",
        )
        self._create_series()

    def count_end(self, status: str, seconds: float, result: Mapping[str, Any] | None) -> None:
        """Count a job that ended `seconds` after its request, with the CLI's last `result`."""
        self._durations.labels(status).observe(max(0.0, seconds))
        fields = result or {}
        self._cost.inc(cost_in(fields))
        for kind, tokens in tokens_in(fields).items():
            self._tokens.labels(kind).inc(tokens)
        # Last: another process may read these files at any moment.
        self._ended.labels(status).inc()

    def count_first_line(self, seconds: float) -> None:
        """Count the time until the client that started a job got its first line."""
        self._first_lines.observe(seconds)

    def count_run_start(self, kind: str) -> None:
        """Count how a job got its process (`app.jobs.start_kind`), once it has ended."""
        self._run_starts.labels(kind).inc()

    def count_run_first_line(self, kind: str, seconds: float) -> None:
        """Count the time until the client of a job with such a process got its first line."""
        self._run_first_lines.labels(kind).observe(seconds)

    def count_forwarded(self, lines: int, size: int) -> None:
        """Count lines and bytes of output that were sent to a client."""
        self._lines.inc(lines)
        self._bytes.inc(size)

    def count_refusal(self, reason: str) -> None:
        """Count a request that was refused because of its credentials."""
        self._refused.labels(reason).inc()

    def count_cached(self, outcome: str) -> None:
        """Count a request whose answer may be cached, by how it was answered."""
        self._cached.labels(outcome).inc()

    def count_retried_start(self) -> None:
        """Count a job whose CLI was started at the second attempt or later."""
        self._retried_starts.inc()

    def summary(self) -> dict[str, Any]:
        """What `GET /stats` has of these numbers: of all workers, since the gateway started."""
        cached, retried = dict.fromkeys(_CACHED, 0), 0
        for family in self._counted():
            for sample in family.samples:
                if family.name == _CACHE_REQUESTS:
                    cached[sample.labels["result"]] = int(sample.value)
                elif family.name == _RETRIED_STARTS:
                    retried = int(sample.value)
        return {"cache": cached, "retried_starts": retried}

    def count_dropped_lines(self, lines: int) -> None:
        """Count lines of this process's log that were dropped."""
        self._dropped_lines.inc(lines)

    def count_stream(self, change: int) -> None:
        """Count a stream that opened (1) or ended (-1)."""
        self._streams.inc(change)

    def render(self, gauges: Iterable[tuple[str, str, Mapping[str, str], float]]) -> bytes:
        """All metrics of all processes and the given gauges, in Prometheus's text format.

        A gauge is a name, a help text, labels and a value.
        """
        families: dict[str, GaugeMetricFamily] = {}
        for name, help_text, labels, value in gauges:
            family = families.setdefault(
                name, GaugeMetricFamily(name, help_text, labels=list(labels))
            )
            family.add_metric(list(labels.values()), value)

        class Now:
            def collect(self) -> Iterable[GaugeMetricFamily]:
                return families.values()

        class Counted:
            def collect(self) -> Iterable[Metric]:
                return counted

        counted = self._counted()
        registry = CollectorRegistry()
        registry.register(Counted())
        registry.register(Now())
        return generate_latest(registry)

    def _counted(self) -> list[Metric]:
        """What all processes have counted."""
        sound = [str(file) for file in self._folder.glob("*.db") if _is_sound(file)]
        return list(multiprocess.MultiProcessCollector.merge(sound))  # type: ignore[no-untyped-call]

    def _create_series(self) -> None:
        """Create each series with 0: rate() needs a first value."""
        for status in _STATUSES:
            self._ended.labels(status)
            self._durations.labels(status)
        for kind in TOKEN_KINDS:
            self._tokens.labels(kind)
        for kind in _START_KINDS:
            self._run_starts.labels(kind)
            self._run_first_lines.labels(kind)
        for outcome in _CACHED:
            self._cached.labels(outcome)
        for reason in _REFUSALS:
            self._refused.labels(reason)


def _is_sound(file: Path) -> bool:
    """Whether a file can be read; a job may have damaged it."""
    try:
        multiprocess.MultiProcessCollector.merge([str(file)])  # type: ignore[no-untyped-call]
    except Exception as error:
        log.warning("the metrics in %s are left out: %s", file, type(error).__name__)
        return False
    return True
