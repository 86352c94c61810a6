"""The log: one line for each request and job, and no secret."""

import base64
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.logs import JournalFormatter, JsonFormatter, TextFormatter, configuration, secrets_in
from tests.support.gateway import (
    AUTH,
    PASSWORD,
    ROOT,
    Gateway,
    eventually,
)

SECRETS = ["p:äss wörd", "key-of-a-client", "short"]


def record(message: str, *arguments: object, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("app", logging.INFO, "", 0, message, arguments, None)
    made.__dict__.update(fields)
    return made


def lines_of(gateway: Gateway, *words: str) -> list[str]:
    return [line for line in gateway.log().splitlines() if all(word in line for word in words)]


def objects_of(gateway: Gateway, **fields: object) -> list[dict[str, Any]]:
    logged = [json.loads(line) for line in gateway.log().splitlines()]
    return [each for each in logged if fields.items() <= each.items()]


@given(st.text())
@example("\n")
@example("\r\x1b[2J\x85\u2028\u2029\u202e\ud800\x00\x0b\x0c\x1c")
def test_whatever_is_logged_stays_on_its_line(text: str) -> None:
    for form in (TextFormatter, JournalFormatter, JsonFormatter):
        line = form(SECRETS).format(record("%s", text, request_id=text, path=text))
        assert len(line.splitlines()) == 1
        assert not {"Cc", "Cs", "Zl", "Zp"} & {unicodedata.category(letter) for letter in line}
        line.encode()


@pytest.mark.parametrize(
    "secret",
    [
        *SECRETS[:2],
        "sk-ant-api03-abcdefghijklmnop_QRST-uv",
        "Basic " + base64.b64encode(b"someone:their password").decode(),
        "Bearer abcdefgh12345678",
    ],
)
def test_secrets_are_masked_wherever_they_stand(secret: str) -> None:
    for form in (TextFormatter, JournalFormatter, JsonFormatter):
        line = form(SECRETS).format(record(f"before {secret} %s", f"x={secret}&", path=secret))
        assert secret.rpartition(" ")[2] not in line
        assert "***" in line


def test_the_credentials_of_a_url_are_masked_and_its_host_is_not() -> None:
    line = TextFormatter([]).format(record("proxy %s", "https://me:let-me-in@proxy.example:3128/x"))
    assert line.endswith("proxy https://***@proxy.example:3128/x")


def test_the_secrets_of_an_environment_are_known_by_their_names() -> None:
    environment = {"ANTHROPIC_API_KEY": "a", "MY_TOKEN": "b", "DB_PASSWORD": "c", "PATH": "d"}
    assert secrets_in(environment) == ["a", "b", "c"]


def test_a_traceback_is_indented_and_in_the_journal_as_grave_as_its_message() -> None:
    try:
        raise ValueError("with\nlines key-of-a-client")
    except ValueError:
        made = logging.LogRecord("app", 40, "", 0, "it failed", (), sys.exc_info())
    first, *others = TextFormatter(SECRETS).format(made).split("\n")
    assert first.endswith("it failed")
    assert len(others) > 2
    assert all(line.startswith("    ") for line in others)
    assert "key-of-a-client" not in "".join(others)
    assert all(line.startswith("<3>") for line in JournalFormatter([]).format(made).split("\n"))
    logged = json.loads(JsonFormatter(SECRETS).format(made))
    assert logged["exception"][-1].startswith("lines")


@pytest.mark.parametrize("is_journal", [True, False])
def test_priorities_are_written_if_standard_error_is_the_journal(
    is_journal: bool, tmp_path: Path
) -> None:
    program = (
        "import logging, logging.config; from app.logs import configuration;"
        "import sys; logging.config.dictConfig(configuration('text', 'DEBUG', [], sys.argv[1]));"
        "log = logging.getLogger('app');"
        "log.debug('a'); log.info('b'); log.warning('c'); log.error('d'); log.critical('e')"
    )
    with (tmp_path / "err").open("w+b") as stderr:
        stat = os.fstat(stderr.fileno())
        stream = f"{stat.st_dev}:{stat.st_ino}" if is_journal else "8:1"
        root = str(ROOT)
        environment = {"JOURNAL_STREAM": stream, "PYTHONPATH": root}
        command = [sys.executable, "-c", program, str(tmp_path)]
        subprocess.run(command, env=environment, stderr=stderr, check=True)
    written = (tmp_path / "err").read_text()
    journal = "<7>app: a\n<6>app: b\n<4>app: c\n<3>app: d\n<2>app: e\n"
    assert (written == journal) == is_journal
    assert len(written.splitlines()) == 5
    # What is kept has the time all the same.
    kept = (tmp_path / "log").read_text()
    assert len(re.findall(r"^\S+Z [A-Z]+ \d+ app: [a-e]$", kept, re.MULTILINE)) == 5
    assert is_journal or kept == written


def test_json_is_written_if_it_is_asked_for() -> None:
    assert configuration("json", "INFO", [])["formatters"]["line"]["()"] is JsonFormatter


def test_a_request_and_the_life_of_its_job_have_one_id_in_the_log(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway(LOG_FORMAT="json")
    asked = {"prompt": "line a\nresult ok", "cwd": str(gateway.project)}
    response = gateway.ask("POST", "/chat", json=asked, headers={"X-Request-ID": "my-id.1"})
    job = response.headers["X-Process-ID"]
    assert response.headers["X-Request-ID"] == "my-id.1"
    eventually(lambda: len(objects_of(gateway, request_id="my-id.1")) == 3)
    logged = objects_of(gateway, request_id="my-id.1")
    assert {each["job"] for each in logged} == {job}
    assert {each["user"] for each in logged} == {"admin"}
    # Two workers may write them, in any order.
    answered = next(each for each in logged if "path" in each)
    ended = next(each for each in logged if "job_status" in each)
    (started,) = (each for each in logged if each not in (answered, ended))
    assert "started for admin" in started["message"]
    assert ended["job_status"] == "succeeded"
    assert 0 < ended["duration_seconds"] < 20
    assert (answered["method"], answered["path"], answered["status"]) == ("POST", "/chat", 200)
    assert answered["duration_seconds"] >= 0
    assert {"time", "level", "logger", "process", "message"} <= answered.keys()


def test_an_id_that_could_forge_is_replaced(gateway: Gateway) -> None:
    for given_id in ("a b", "x" * 129, "<script>", "é"):
        response = gateway.ask("GET", "/", headers={"X-Request-ID": given_id.encode()})
        assert len(response.headers["X-Request-ID"]) == 32


def test_what_is_refused_before_it_is_a_request_has_an_id_too(gateway: Gateway) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), 10) as client:
        client.sendall(b"GET / HTTP/1.1\r\nbad header\r\n\r\n")
        head, _, body = b"".join(iter(lambda: client.recv(65536), b"")).partition(b"\r\n\r\n")
    identity = json.loads(body)["request_id"]
    assert f"X-Request-ID: {identity}".encode() in head
    eventually(lambda: lines_of(gateway, identity))


def test_no_client_forges_a_line_or_has_a_secret_logged(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway(
        API_KEYS="the-key-of-a-client",
        ANTHROPIC_API_KEY="sk-ant-of-the-gateway",
        AUTH_MAX_FAILURES="0",
        LOG_LEVEL="DEBUG",
    )
    basic = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
    forged = "%0A2026-01-01T00:00:00.000Z INFO 1 app: forged%0D%1B[2Jforged%E2%80%A8forged%C2%85x"
    paths = [
        f"/{forged}",
        f"/chat/{forged}",
        f"/{basic}",
        "/the-key-of-a-client",
        "/x?api_key=the-key-of-a-client&prompt=the-secret-prompt",
        "/sk-ant-REDACTED",
        "/https://me:hidden-in-a-url@host/",
        "/%FF%FE",
    ]
    for path in paths:
        with socket.create_connection(("127.0.0.1", gateway.port), 10) as client:
            client.sendall(
                f"GET {path.replace(' ', '%20')} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                f"User-Agent: the-agent\r\nAuthorization: Basic {basic}\r\n\r\n".encode()
            )
            assert client.recv(65536)
            while client.recv(65536):
                pass
    folder = gateway.folder / "a\nforged folder\x1b[2J"
    folder.mkdir()
    body = {"prompt": "line the-output\nresult ok", "cwd": str(folder)}
    asked = {"json": body, "headers": {"User-Agent": "the-agent"}}
    assert gateway.ask("POST", "/chat", **asked).status_code == 200
    wrong = ("x\nforged", "the-wrong-password")
    assert gateway.ask("GET", "/jobs", auth=wrong).status_code == 401
    eventually(lambda: lines_of(gateway, "succeeded after"))
    log = gateway.log()
    assert "404 for anonymous" in log
    for line in log.splitlines():
        assert not line.startswith("forged")
        assert line[:4].isdigit() or line.startswith("    "), line
        assert " app: forged" not in line or "\\n2026" in line
    assert "\x1b" not in log
    for secret in (
        *(PASSWORD, basic, "the-key-of-a-client", "sk-ant-of-the-gateway", "hidden-in-a-url"),
        *("sk-ant-REDACTED", "the-secret-prompt", "the-output", "the-wrong"),
    ):
        assert secret not in log, secret


def test_a_job_that_waited_is_logged_when_its_turn_comes(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    gateway = start_gateway(MAX_JOBS="1")
    flag = tmp_path / "flag"
    first = gateway.chat(f"await {flag}", "result ok")
    second = gateway.chat("result ok")
    eventually(lambda: lines_of(gateway, f"job {second.job_id} queued for admin"))
    flag.touch()
    assert first.done()["status"] == second.done()["status"] == "succeeded"
    for words in (["started from the queue"], ["succeeded after"]):
        eventually(lambda words=words: len(lines_of(gateway, second.job_id, *words)) == 1)


def ends_of(gateway: Gateway, job_id: str) -> list[str]:
    return lines_of(gateway, f"job {job_id} ", " after ")


def test_each_end_is_logged_once_whatever_it_is(gateway: Gateway) -> None:
    ends = {}
    for verbs in (["result ok"], ["exit 3"], ["die 9"]):
        stream = gateway.chat(*verbs)
        ends[stream.job_id] = stream.done()["status"]
    cancelled = gateway.chat("line a", "silent")
    gateway.ask("DELETE", f"/chat/{cancelled.job_id}")
    left = gateway.chat("line a", "silent")
    left.next()
    left.close()
    lost = gateway.chat("line a", "silent")
    lost.next()
    supervisor = gateway.processes_of(lost.job_id).supervisor.pid
    os.kill(supervisor, signal.SIGKILL)
    limited = gateway.chat("silent", timeout=0.2)
    ends.update({cancelled.job_id: "cancelled", left.job_id: "cancelled"})
    ends.update({lost.job_id: "lost", limited.job_id: "timed_out"})
    assert limited.done()["status"] == "timed_out"
    for job_id, status in ends.items():
        eventually(lambda job_id=job_id: ends_of(gateway, job_id))
        (line,) = ends_of(gateway, job_id)
        assert f"job {job_id} {status} after " in line
    assert " s: The job took longer than its time limit" in ends_of(gateway, limited.job_id)[0]
    # Other tests' jobs may have ended just now.
    eventually(lambda: not list((gateway.state / "unlogged").iterdir()))


def test_a_job_that_cannot_start_is_logged(gateway: Gateway) -> None:
    claude = Path(gateway.environment["CLAUDE_PATH"])
    claude.chmod(0o644)
    try:
        assert gateway.post("result ok").status_code == 503
    finally:
        claude.chmod(0o755)
    eventually(lambda: lines_of(gateway, " failed after ", "cannot start"))


def test_ends_without_a_gateway_are_logged_by_the_next_one(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    gateway = start_gateway()
    flag = tmp_path / "flag"
    finished = gateway.chat(f"await {flag}", "result ok", detach=True).job_id
    lost = gateway.chat("silent", detach=True).job_id
    supervisor = gateway.processes_of(lost).supervisor.pid
    gateway.kill()
    os.kill(supervisor, signal.SIGKILL)
    flag.touch()
    eventually(lambda: (gateway.state / "unlogged" / finished).exists())
    gateway.start()
    eventually(lambda: ends_of(gateway, finished) and ends_of(gateway, lost))
    assert "succeeded after" in ends_of(gateway, finished)[0]
    assert "lost after" in ends_of(gateway, lost)[0]
    running = gateway.chat("silent", detach=True).job_id
    assert gateway.stop() == 0
    # Nobody but the first process was there.
    assert "cancelled after" in ends_of(gateway, running)[0]
    for job_id in (finished, lost, running):
        assert len(ends_of(gateway, job_id)) == 1


def test_ends_during_reloads_are_logged_once(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    gateway = start_gateway()
    jobs = []
    for _ in range(3):
        flag = tmp_path / f"flag{len(jobs)}"
        jobs.append(gateway.chat(f"await {flag}", "result ok", detach=True).job_id)
        # Another limit is another generation: launcher and workers are replaced.
        (gateway.folder / ".env").write_text(f"QUEUE_SIZE={50 + len(jobs)}\n")
        assert gateway.process is not None
        before = set(gateway.workers())
        gateway.process.send_signal(signal.SIGHUP)
        flag.touch()
        eventually(lambda: ends_of(gateway, jobs[-1]))
        # One that stops would refuse the next job.
        eventually(lambda before=before: not before & set(gateway.workers()))
    gateway.stop()
    assert [len(ends_of(gateway, job_id)) for job_id in jobs] == [1, 1, 1]


def test_what_machines_ask_again_and_again_is_for_debugging(gateway: Gateway) -> None:
    # A worker asks for / all the time, to prove to systemd that the gateway answers.
    for path in ("/", "/health", "/ready", "/metrics"):
        gateway.ask("GET", path, auth=AUTH)
        eventually(lambda path=path: lines_of(gateway, f"GET {path} ", "app.http.request_log"))
        assert all(" DEBUG " in line for line in lines_of(gateway, f": GET {path} "))


def test_the_lifecycle_is_logged_with_the_jobs_id(gateway: Gateway) -> None:
    stream = gateway.chat("result ok")
    stream.done()
    assert f"job {stream.job_id} started" in gateway.log()
    stream = gateway.chat("silent")
    gateway.ask("DELETE", f"/chat/{stream.job_id}")
    assert f"job {stream.job_id} is cancelled" in gateway.log()
