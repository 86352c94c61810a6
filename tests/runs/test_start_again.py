"""A CLI that ends without a line, and is started again."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.jobs.job_json import seconds_between
from tests.responses.test_stored import BEGIN as MODEL_BEGIN
from tests.responses.test_stored import END as MODEL_END
from tests.support.completions import ANSWER, ask
from tests.support.gateway import Gateway, alive, eventually, running_gateway

KILLED = "kill -9 $$"
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


class Faulty:
    """A gateway whose CLI does what a file says, before it does anything else, and then counts."""

    def __init__(self, gateway: Gateway, folder: Path) -> None:
        self.gateway = gateway
        # The gateway starts the CLI to find out what it can do, too.
        eventually(lambda: gateway.ask("GET", "/health").json()["capabilities"])
        self._fault = folder / "fault"
        self._count = folder / "count"

    def next(self, fault: str, *, times: int = 1) -> None:
        """Have so many of the next starts fail like this; a second one that fails is another."""
        self._count.write_text("")
        rest = f"[ $(wc -l <{self._count}) -lt {times} ] || rm {self._fault}"
        self._fault.write_text(f"echo x >>{self._count}\n{rest}\n{fault}\n")

    @property
    def failed_starts(self) -> int:
        """How many starts have failed."""
        return len(self._count.read_text().splitlines())

    def repair(self) -> None:
        """Have the next start succeed."""
        self._fault.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the CLI and its faults are."""
    return tmp_path_factory.mktemp("faulty")


@pytest.fixture(scope="module")
def faulty_claude(fake_claude: Path, folder: Path) -> Path:
    """A fake CLI that does first what a file says, if there is one, each time it has a job."""
    wrapper = folder / "claude"
    wrapper.write_text(
        f'#!/bin/sh\ncase "$*" in *--print*) [ ! -e {folder}/fault ] || . {folder}/fault ;; esac\n'
        f'exec {fake_claude} "$@"\n'
    )
    wrapper.chmod(0o755)
    return wrapper


@pytest.fixture(scope="module")
def _faulty(faulty_claude: Path, folder: Path) -> Iterator[Faulty]:
    settings = {"START_RETRIES": "1", "SPARES": "0"}
    with running_gateway(folder / "gateway", faulty_claude, **settings) as gateway:
        yield Faulty(gateway, folder)


@pytest.fixture
def faulty(_faulty: Faulty) -> Iterator[Faulty]:
    """The gateway, whose CLI has no fault yet."""
    yield _faulty
    _faulty.repair()
    _faulty.gateway.hang_up()


def counted(gateway: Gateway) -> int:
    """How many jobs have ended whose CLI was started again."""
    found: int = gateway.ask("GET", "/stats").json()["retried_starts"]
    return found


@pytest.mark.parametrize("fault", [KILLED, "kill -11 $$", "exit 0", "exit 3"])
@pytest.mark.parametrize("fields", [{}, {"keep_alive": 60}])
def test_it_is_started_again_as_the_same_job(
    faulty: Faulty, fault: str, fields: dict[str, Any]
) -> None:
    before = counted(faulty.gateway)
    faulty.next(fault)
    stream = faulty.gateway.chat("line one", "result ok", **fields)
    *lines, done = list(stream)
    assert b'"succeeded"' in done.data, done
    if not fields:
        # Nothing of the first start is in the stream.
        assert [line.data for line in lines[:-1]] == [b"one"]
    assert faulty.failed_starts == 1
    eventually(lambda: counted(faulty.gateway) == before + 1)
    # Counted by the process that logs the end.
    total = f"claudecode2api_retried_starts_total {before + 1}.0"
    eventually(lambda: total in faulty.gateway.ask("GET", "/metrics").text)
    assert faulty.gateway.ask("GET", "/jobs?limit=1").json()["jobs"][0]["process_id"] == (
        stream.job_id
    )


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/v1/chat/completions", {}),
        ("/v1/chat/completions", {"tools": [TOOL]}),
        ("/v1/messages", {"max_tokens": 9}),
        ("/v1/responses", {}),
    ],
)
def test_a_client_of_a_chat_api_notices_nothing(
    faulty: Faulty, path: str, fields: dict[str, Any], stream: bool
) -> None:
    faulty.next(KILLED)
    said = "\n".join([*MODEL_BEGIN, *MODEL_END])
    body = {"model": "sonnet", "stream": stream, **fields}
    if path == "/v1/responses":
        body["input"] = said
    else:
        body["messages"] = [{"role": "user", "content": said}]
    answer = faulty.gateway.ask("POST", path, json=body)
    assert answer.status_code == 200, answer.text
    assert "error" not in answer.text.replace('"error":null', "").replace('"error": null', "")
    assert faulty.failed_starts == 1


def test_it_is_started_again_once(faulty: Faulty) -> None:
    faulty.next(KILLED, times=5)
    done = faulty.gateway.chat("result ok").done()
    assert (done["status"], done["signal"]) == ("failed", "SIGKILL")
    assert faulty.failed_starts == 2
    faulty.next(KILLED, times=5)
    answer = ask(faulty.gateway, ANSWER)
    assert answer.status_code == 424, answer.text
    assert faulty.failed_starts == 2


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        # It says why: it would say so again.
        ("echo 'error: unknown option' >&2; exit 1", "Error: unknown option"),
        # It may have begun to work.
        (f'echo \'{{"type":"system"}}\'; {KILLED}', "The CLI was ended by SIGKILL"),
        (f"printf x; {KILLED}", "The CLI was ended by SIGKILL"),
    ],
)
@pytest.mark.parametrize("fields", [{}, {"keep_alive": 60}])
def test_it_is_not_started_again_if_it_has_printed_something(
    faulty: Faulty, fault: str, error: str, fields: dict[str, Any]
) -> None:
    faulty.next(fault)
    done = faulty.gateway.chat("result ok", **fields).done()
    assert done["status"] == "failed"
    assert done["error"].lower() == error.lower()
    assert faulty.failed_starts == 1


@pytest.mark.parametrize("fields", [{}, {"keep_alive": 60}])
def test_a_crash_report_does_not_keep_it_from_being_started_again(
    faulty: Faulty, fields: dict[str, Any]
) -> None:
    faulty.next("echo 'panic: segmentation fault' >&2; kill -6 $$")
    done = faulty.gateway.chat("complain second", "exit 3", **fields).done()
    # Standard error is that of the second start.
    assert (done["status"], done["stderr"]) == ("failed", "second\n")
    assert faulty.failed_starts == 1


@pytest.mark.parametrize("fields", [{}, {"keep_alive": 60}])
def test_a_job_that_is_cancelled_or_out_of_time_is_not_started_again(
    faulty: Faulty, fields: dict[str, Any]
) -> None:
    silent = "trap 'exit 0' INT TERM; while :; do sleep 0.01; done"
    faulty.next(silent)
    stream = faulty.gateway.chat("result ok", **fields)
    eventually(lambda: faulty.failed_starts == 1)
    assert faulty.gateway.ask("DELETE", f"/chat/{stream.job_id}").status_code == 200
    assert stream.done()["status"] == "cancelled"
    assert faulty.failed_starts == 1
    faulty.next(silent)
    # Long enough for the start of the CLI.
    done = faulty.gateway.chat("result ok", timeout=3, **fields).done()
    assert done["status"] == "timed_out"
    assert faulty.failed_starts == 1


def test_the_time_limit_counts_from_the_first_start(faulty: Faulty) -> None:
    faulty.next(f"sleep 3; {KILLED}")
    stream = faulty.gateway.chat("silent", timeout=4)
    assert stream.done()["status"] == "timed_out"
    assert faulty.failed_starts == 1
    record = faulty.gateway.ask("GET", f"/jobs/{stream.job_id}").json()
    assert seconds_between(record["started_at"], record["ended_at"]) < 3 + 4


def test_what_the_first_start_has_left_is_gone_before_the_second(
    faulty: Faulty, folder: Path
) -> None:
    left = folder / "left"
    faulty.next(f"sleep 1000 & echo $! >{left}; echo $TMPDIR >>{left}; touch $TMPDIR/x; {KILLED}")
    stream = faulty.gateway.chat("shell echo $TMPDIR", "result ok")
    own = Path(stream.next().data.decode())
    pid, before = left.read_text().split()
    assert not alive(int(pid))
    assert re.fullmatch(r"/.*/cc2-[0-9a-f]{12}", before) and before != str(own)
    assert not Path(before).exists()
    assert stream.done()["status"] == "succeeded"
    eventually(lambda: not own.exists())


def test_a_worker_and_the_launcher_may_end_between_the_two_starts(
    faulty_claude: Path, folder: Path, tmp_path: Path
) -> None:
    with running_gateway(
        tmp_path, faulty_claude, START_RETRIES="1", SPARES="0", WORKERS="1"
    ) as gateway:
        faulty = Faulty(gateway, folder)
        flag = tmp_path / "flag"
        faulty.next(f"while [ ! -e {flag} ]; do sleep 0.01; done; {KILLED}")
        started = gateway.ask(
            "POST",
            "/chat",
            json={"prompt": "result ok", "cwd": str(gateway.project)},
            headers={"Prefer": "respond-async"},
        )
        job = started.json()["process_id"]
        eventually(lambda: faulty.failed_starts == 1)
        for pid in (gateway.launcher(), *gateway.workers()):
            os.kill(pid, 9)
        flag.touch()
        assert gateway.resume(job).done()["status"] == "succeeded"


def test_with_the_setting_0_it_is_not_started_again(
    faulty_claude: Path, folder: Path, start_gateway: Callable[..., Gateway]
) -> None:
    gateway = start_gateway(faulty_claude, START_RETRIES="0", SPARES="0")
    faulty = Faulty(gateway, folder)
    faulty.next(KILLED)
    assert gateway.chat("result ok").done()["status"] == "failed"
    assert counted(gateway) == 0
