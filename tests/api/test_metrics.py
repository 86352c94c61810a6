"""`GET /metrics` of a real gateway, scraped by a real Prometheus."""

import contextlib
import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from app import metrics
from app.jobs.start_kind import StartKind
from app.metrics import Metrics
from app.records.job_records import Status
from app.version import VERSION
from tests.support.gateway import PASSWORD, ROOT, Gateway, eventually, free_port
from tests.support.pages import page

USAGE = {
    "input_tokens": 10,
    "output_tokens": 20,
    "cache_read_input_tokens": 30,
    "cache_creation_input_tokens": 40,
}
RESULT = {"type": "result", "is_error": False, "total_cost_usd": 0.25, "usage": USAGE}
EXPENSIVE = f"line {json.dumps(RESULT)}"
DASHBOARD = json.loads((ROOT / "examples/grafana.json").read_text(encoding="utf-8"))

Samples = dict[str, float]


def scraped(gateway: Gateway) -> Samples:
    """Every sample by its name and labels, as Prometheus writes them."""
    answer = gateway.ask("GET", "/metrics")
    assert answer.status_code == 200
    return samples_in(answer.text)


def samples_in(text: str) -> Samples:
    samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            samples[sample.name + (f"{{{labels}}}" if labels else "")] = sample.value
    return samples


def is_steady(name: str) -> bool:
    """Whether a sample of this name never falls."""
    return name.partition("{")[0].endswith(("_total", "_bucket", "_count", "_sum"))


def ended(samples: Samples, status: str) -> float:
    return samples[f'claudecode2api_jobs_ended_total{{status="{status}"}}']


def expressions() -> list[str]:
    """The queries of the dashboard, with its variables filled in."""
    return [
        target["expr"].replace("$__rate_interval", "5m")
        for panel in DASHBOARD["panels"]
        for target in panel.get("targets", [])
    ]


def test_what_jobs_do_is_counted_over_all_workers(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway()
    before = scraped(gateway)
    assert {ended(before, status) for status in get_args(Status)} == {0}
    for _ in range(6):
        assert gateway.chat("lines 10", EXPENSIVE).done()["status"] == "succeeded"
    assert gateway.chat("exit 3").done()["status"] == "failed"
    running = gateway.chat("line a", "silent")
    running.next()
    eventually(lambda: ended(scraped(gateway), "succeeded") == 6)
    eventually(lambda: ended(scraped(gateway), "failed") == 1)
    # Counted when a client has already got what it is about.
    eventually(lambda: scraped(gateway)["claudecode2api_job_first_line_seconds_count"] == 7)
    eventually(lambda: scraped(gateway)["claudecode2api_open_streams"] == 1)
    now = scraped(gateway)
    sent = sum(len(f"line {number}\n") for number in range(10)) + len(json.dumps(RESULT)) + 1
    assert now["claudecode2api_forwarded_lines_total"] == 6 * 11 + 1
    assert now["claudecode2api_forwarded_bytes_total"] == 6 * sent + len("line a\n") - 5
    assert now["claudecode2api_cost_dollars_total"] == 1.5
    for kind, tokens in (("input", 60), ("output", 120), ("cache_read", 180)):
        assert now[f'claudecode2api_tokens_total{{kind="{kind}"}}'] == tokens
    assert now['claudecode2api_job_duration_seconds_count{status="succeeded"}'] == 6
    assert 0 < now['claudecode2api_job_duration_seconds_sum{status="succeeded"}'] < 60
    assert now['claudecode2api_jobs{status="running"}'] == 1
    assert now['claudecode2api_jobs{status="queued"}'] == 0
    info = f'claudecode2api_build_info{{claude_version="9.9.9 (Fake Code)",version="{VERSION}"}}'
    assert now[info] == 1
    assert abs(now["claudecode2api_start_time_seconds"] - time.time()) < 120


def test_it_is_counted_how_jobs_got_their_process(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(WORKERS="1", MAX_JOBS="1")

    def counts(name: str) -> dict[str, float]:
        found = scraped(gateway)
        return {kind: found[f'{name}{{kind="{kind}"}}'] for kind in get_args(StartKind)}

    assert set(counts("claudecode2api_run_starts_total").values()) == {0}
    assert set(counts("claudecode2api_run_first_line_seconds_count").values()) == {0}
    first = gateway.chat("line a", keep_alive=60, model="cold").done()
    session = first["session_id"]
    gateway.chat("line a", keep_alive=60, model="cold", session_id=session).done()
    gateway.chat("line a", EXPENSIVE, session_id=session).done()
    running = gateway.chat("line a", "silent")
    # A job that has never had a process does not count. It ends first, or else it might begin.
    queued = gateway.chat("line a")
    assert gateway.ask("DELETE", f"/chat/{queued.job_id}").status_code == 200
    running.next()
    gateway.close_streams()
    wanted = {"cold": 2, "resumed": 1, "kept": 1, "spare": 0}
    eventually(lambda: counts("claudecode2api_run_starts_total") == wanted)
    eventually(lambda: counts("claudecode2api_run_first_line_seconds_count") == wanted)
    body = {"messages": [{"role": "user", "content": EXPENSIVE}], "session_id": "a-name"}
    for _ in range(2):
        assert gateway.ask("POST", "/v1/chat/completions", json=body).status_code == 200
    wanted |= {"cold": 3, "kept": 2}
    eventually(lambda: counts("claudecode2api_run_starts_total") == wanted)
    eventually(lambda: counts("claudecode2api_run_first_line_seconds_count") == wanted)


def test_jobs_that_wait_are_counted_apart(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(MAX_JOBS="1")
    for _ in range(3):
        gateway.chat("silent")
    now = scraped(gateway)
    assert now['claudecode2api_jobs{status="running"}'] == 1
    assert now['claudecode2api_jobs{status="queued"}'] == 2


def test_refusals_are_counted_by_their_reason(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(AUTH_MAX_FAILURES="2", METRICS_PUBLIC="true")
    gateway.ask("GET", "/jobs", auth=None)
    for _ in range(3):
        gateway.ask("GET", "/jobs", auth=("admin", "wrong"))
    now = samples_in(gateway.ask("GET", "/metrics", auth=None).text)
    name = "claudecode2api_authentication_failures_total"
    assert now[f'{name}{{reason="not_authenticated"}}'] == 1
    assert now[f'{name}{{reason="invalid_credentials"}}'] == 2
    assert now[f'{name}{{reason="too_many_attempts"}}'] == 1


def test_the_metrics_are_not_public_unless_they_are_made_so(gateway: Gateway) -> None:
    assert gateway.ask("GET", "/metrics", auth=None).status_code == 401
    answer = gateway.ask("GET", "/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"


def test_no_counter_falls_and_no_gauge_lies_when_workers_change(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway()
    before = scraped(gateway)
    for round_ in range(1, 4):
        for _ in range(4):
            gateway.chat("line a", EXPENSIVE).done()
        eventually(lambda count=4 * round_: ended(scraped(gateway), "succeeded") == count)
        open_streams = [gateway.chat("line a", "silent", detach=True) for _ in range(3)]
        for stream in open_streams:
            stream.next()
        # One ends when its client has got the end.
        eventually(lambda: scraped(gateway)["claudecode2api_open_streams"] == 3)
        if round_ == 2:
            gateway.kill_workers()
        else:
            gateway.reload()
        eventually(lambda: scraped(gateway)["claudecode2api_open_streams"] == 0)
        now = scraped(gateway)
        assert {name for name in before if is_steady(name) and now[name] < before[name]} == set()
        assert now['claudecode2api_jobs{status="running"}'] == 3
        assert now["claudecode2api_start_time_seconds"] == pytest.approx(
            before["claudecode2api_start_time_seconds"], abs=1
        )
        before = now
        gateway.hang_up()
        eventually(lambda count=3 * round_: ended(scraped(gateway), "cancelled") == count)
    # One worker's files are the next one's.
    assert len(list((gateway.state / "metrics").glob("counter_*.db"))) <= 4


def test_ends_without_a_gateway_are_counted_by_the_next_one(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway()
    gateway.chat("result ok").done()
    # Otherwise the next one would count it.
    eventually(lambda: ended(scraped(gateway), "succeeded") == 1)
    gateway.chat("silent", detach=True)
    gateway.kill()
    gateway.start()
    eventually(lambda: gateway.running() != [])
    gateway.hang_up()
    eventually(lambda: ended(scraped(gateway), "cancelled") == 1)
    # A new gateway begins with zero, as counters do.
    assert ended(scraped(gateway), "succeeded") == 0


def test_a_full_disk_costs_no_worker_its_life(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    state = tmp_path / "small"
    state.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(state)]
    if subprocess.run(mount, check=False).returncode != 0:
        pytest.skip("no process may mount on this machine")
    try:
        gateway = start_gateway(STATE_DIR=str(state), MIN_FREE_DISK="0", AUTH_MAX_FAILURES="0")
        gateway.state = state
        # Both have their files by now.
        eventually(lambda: len(list((state / "metrics").glob("gauge_*.db"))) == 2)
        workers = gateway.workers()
        filler = state / "filler"
        with contextlib.suppress(OSError), filler.open("wb") as file:
            while True:
                file.write(b"x" * 4096)
        for _ in range(20):
            assert gateway.ask("GET", "/jobs", auth=("admin", "wrong")).status_code == 401
        name = 'claudecode2api_authentication_failures_total{reason="invalid_credentials"}'
        assert scraped(gateway)[name] == 20
        assert gateway.ask("GET", "/health").status_code in (200, 503)
        assert gateway.workers() == workers
        # One that finds no room for its files serves all the same.
        gateway.reload()
        assert gateway.ask("GET", "/jobs").status_code == 200
        assert scraped(gateway)[name] == 20
        filler.unlink()
        assert gateway.chat("result ok").done()["status"] == "succeeded"
        gateway.stop()
    finally:
        subprocess.run(["umount", "-l", str(state)], check=True)


def test_nothing_that_is_counted_makes_a_file_grow(tmp_path: Path) -> None:
    counting = Metrics(tmp_path / "metrics", 7)
    used = {file: _used(file) for file in (tmp_path / "metrics").iterdir()}
    for status in get_args(Status):
        counting.count_end(status, 1.0, RESULT)
    for reason in ("not_authenticated", "invalid_credentials", "too_many_attempts"):
        counting.count_refusal(reason)
    counting.count_forwarded(1, 2)
    counting.count_first_line(1.0)
    counting.count_stream(1)
    assert used == {file: _used(file) for file in (tmp_path / "metrics").iterdir()}
    assert all(0 < size == file.stat().st_size for file, size in used.items())
    assert samples_in(counting.render([]).decode())["claudecode2api_open_streams"] == 1
    metrics.forget_worker(tmp_path / "metrics", 7)
    after = samples_in(counting.render([]).decode())
    assert "claudecode2api_open_streams" not in after
    assert ended(after, "lost") == 1


def _used(file: Path) -> int:
    return int.from_bytes(file.read_bytes()[:4], "little")


def test_the_table_of_metrics_is_complete(gateway: Gateway) -> None:
    section = page("docs/operations.md").section("Metrics")
    rows = set(re.findall(r"^\| `(claudecode2api_\w+)", section, re.MULTILINE))
    names = re.findall(r"^# TYPE (\w+) ", gateway.ask("GET", "/metrics").text, re.MULTILINE)
    assert rows == set(names)


def test_the_dashboard_asks_for_what_there_is(gateway: Gateway) -> None:
    there = {name.partition("{")[0] for name in scraped(gateway)}
    asked = {
        name
        for expression in expressions()
        for name in re.findall(r"claudecode2api_\w+", expression)
    }
    assert asked <= there
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in there}
    assert {re.sub(r"_(bucket|count|sum)$", "", name) for name in asked} == families
    identities = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(identities)) == len(identities)


@pytest.mark.prometheus
def test_promtool_finds_nothing_to_complain_of(gateway: Gateway) -> None:
    gateway.chat("line a", EXPENSIVE).done()
    text = gateway.ask("GET", "/metrics").content
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


@pytest.fixture
def watched(start_gateway: Callable[..., Gateway]) -> Gateway:
    """A gateway of the test's own: no end of another test's job is counted in it."""
    return start_gateway()


@pytest.fixture
def prometheus(watched: Gateway, tmp_path: Path) -> Iterator[str]:
    """A Prometheus that scrapes the gateway as examples/prometheus.yml has it; its address."""
    text = (ROOT / "examples/prometheus.yml").read_text(encoding="utf-8")
    (tmp_path / "password").write_text(PASSWORD, encoding="utf-8")
    for written, meant in (
        ("/etc/prometheus/claudecode2api.password", str(tmp_path / "password")),
        ("127.0.0.1:9876", f"127.0.0.1:{watched.port}"),
        ("scrape_interval: 15s", "scrape_interval: 1s\n    scrape_timeout: 1s"),
    ):
        assert text.count(written) == 1
        text = text.replace(written, meant)
    (tmp_path / "prometheus.yml").write_text(text, encoding="utf-8")
    address = f"127.0.0.1:{free_port()}"
    with (tmp_path / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={tmp_path / 'prometheus.yml'}",
                f"--storage.tsdb.path={tmp_path / 'data'}",
                f"--web.listen-address={address}",
            ],
            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
            stdout=log,
            stderr=log,
        )
    try:
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(20)


def query(prometheus: str, expression: str) -> list[dict[str, Any]]:
    with requests.Session() as session:
        session.trust_env = False
        try:
            answer = session.get(
                f"{prometheus}/api/v1/query", params={"query": expression}, timeout=10
            )
        except requests.ConnectionError:
            return []
    if answer.status_code == 503:
        # It starts.
        return []
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]["result"]
    return found


@pytest.mark.prometheus
def test_a_prometheus_scrapes_it_and_answers_the_dashboard(
    watched: Gateway, prometheus: str
) -> None:
    counter = 'claudecode2api_jobs_ended_total{status="succeeded"}'
    watched.chat("line a", EXPENSIVE).done()
    watched.chat("line a", "silent").next()

    def counted() -> float:
        return sum(float(row["value"][1]) for row in query(prometheus, counter))

    def is_up() -> bool:
        return [row["value"][1] for row in query(prometheus, 'up{job="claudecode2api"}')] == ["1"]

    eventually(lambda: counted() == 1)
    # A scrape may take too long on a machine with other work.
    eventually(is_up)
    watched.chat(EXPENSIVE).done()
    eventually(lambda: counted() == 2)
    for expression in expressions():
        # Also that it is understood: what is not is answered with 400.
        eventually(
            lambda asked=expression: query(prometheus, asked), lambda asked=expression: asked
        )


@pytest.mark.prometheus
def test_the_example_configuration_is_one(tmp_path: Path) -> None:
    for name in ("prometheus.yml",):
        shutil.copy(ROOT / "examples" / name, tmp_path)
    checked = subprocess.run(
        ["promtool", "check", "config", "--syntax-only", str(tmp_path / "prometheus.yml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
