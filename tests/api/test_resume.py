"""Reading a job again, at any time: from the start, or from after an event."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from tests.support.gateway import PASSWORD, PATIENCE, Gateway, eventually, marked_in
from tests.support.gone_client import gone_at_the_end
from tests.support.pending import pending


def test_an_ended_job_is_read_again_from_the_start(gateway: Gateway) -> None:
    first = list(gateway.chat("system s1", "line a", "line b", "result ok"))
    job_id = json.loads(first[-1].data)["process_id"]
    for _ in range(4):
        assert list(gateway.resume(job_id)) == first


def test_a_job_is_resumed_after_each_of_its_events(gateway: Gateway) -> None:
    events = list(gateway.chat("raw 610a0a620a63", "line ", "line d", "result ok"))
    job_id = json.loads(events[-1].data)["process_id"]
    for number, event in enumerate(events[:-1]):
        assert list(gateway.resume(job_id, after=event.id)) == events[number + 1 :]


def test_after_the_last_line_without_a_newline_only_the_end_is_left(gateway: Gateway) -> None:
    *_, last, done = gateway.chat("raw 6162630a646566")
    assert last.data == b"def"
    job_id = json.loads(done.data)["process_id"]
    assert [event.name for event in gateway.resume(job_id, after=last.id)] == ["done"]


def test_a_client_that_has_seen_the_end_must_not_come_back(gateway: Gateway) -> None:
    *_, done = gateway.chat("result ok")
    job_id = json.loads(done.data)["process_id"]
    headers = {"Last-Event-ID": str(done.id)}
    assert gateway.ask("GET", f"/chat/{job_id}", headers=headers).status_code == 204


def test_a_running_job_is_read_by_many_at_once(gateway: Gateway) -> None:
    flag = gateway.folder / "many"
    flag.unlink(missing_ok=True)
    poster = gateway.chat("lines 1000", f"await {flag}", "lines 1000", "result ok")
    watchers = [gateway.resume(poster.job_id) for _ in range(6)]
    early = gateway.resume(poster.job_id)
    early.next()
    early.close()
    flag.touch()
    messages = poster.messages()
    assert len(messages) == 2001
    for watcher in watchers:
        assert watcher.messages() == messages


def test_a_watcher_that_leaves_does_not_end_the_job(gateway: Gateway) -> None:
    poster = gateway.chat("line a", "silent")
    watcher = gateway.resume(poster.job_id)
    watcher.next()
    watcher.close()
    again = gateway.resume(poster.job_id)
    assert again.next().data == b"a"
    assert len(gateway.running()) == 1


@pytest.mark.parametrize(
    "given", ["x", "-1", "1", "01", "99999", "1.5", "٣", "end", "9" * 20, "9" * 500]
)
def test_what_is_no_position_of_this_job_is_refused(gateway: Gateway, given: str) -> None:
    stream = gateway.chat("line abc", "silent")
    stream.next()
    answer = gateway.ask("GET", f"/chat/{stream.job_id}", params={"last_event_id": given})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_event_id")


def test_an_unknown_job_is_not_found(gateway: Gateway) -> None:
    for job_id in (str(uuid4()), "x", "%2e%2e"):
        assert gateway.ask("GET", f"/chat/{job_id}").status_code == 404


def test_the_first_event_has_the_time_after_which_a_browser_comes_back(gateway: Gateway) -> None:
    """Not a block of its own: that is an event without data to some clients."""
    for verbs in ("line one\nline two", "exit 0"):
        blocks = gateway.post(verbs).content.split(b"\n\n")
        assert blocks.pop() == b""
        assert blocks[0].startswith(b"retry: 1000\nevent: ")
        assert all(b"\ndata: " in block for block in blocks)
        assert b"\n\n".join(blocks).count(b"retry:") == 1


def test_a_detached_job_outlives_its_client(gateway: Gateway) -> None:
    flag = gateway.folder / "detached"
    flag.unlink(missing_ok=True)
    stream = gateway.chat("line a", f"await {flag}", "line b", "result ok", detach=True)
    stream.next()
    stream.close()
    again = gateway.resume(stream.job_id)
    assert again.next().data == b"a"
    flag.touch()
    assert again.messages()[0] == b"b"


def test_a_location_begins_with_the_prefix_of_a_proxy_of_ours(
    gateway: Gateway, start_gateway: Callable[..., Gateway]
) -> None:
    trusting = start_gateway(FORWARDED_ALLOW_IPS="127.0.0.1")

    def location(asked: Gateway, prefix: str) -> str:
        headers = {"Prefer": "respond-async", "X-Forwarded-Prefix": prefix}
        body = {"prompt": "result ok", "cwd": str(asked.project)}
        answer = asked.ask("POST", "/chat", json=body, headers=headers)
        eventually(lambda: not asked.running())
        return answer.headers["Location"].removesuffix(answer.json()["process_id"])

    assert location(trusting, "/gateway") == "/gateway/chat/"
    assert location(trusting, "/a/b/") == "/a/b/chat/"
    for hostile in (
        "//evil.example",
        "https://evil.example",
        "/a b",
        "/..;/",
        "x",
        "/" + "x" * 999,
    ):
        assert location(trusting, hostile) == "/chat/"
    # The header of another address than a trusted proxy's is ignored.
    assert location(gateway, "/gateway") == "/chat/"


def test_respond_async_answers_at_once_with_where_the_job_is(gateway: Gateway) -> None:
    body = {"prompt": "line a\nresult ok", "cwd": str(gateway.project)}
    answer = gateway.ask("POST", "/chat", json=body, headers={"Prefer": "respond-async"})
    job_id = answer.json()["process_id"]
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/chat/{job_id}"
    assert gateway.resume(job_id).messages()[0] == b"a"


def test_a_stream_that_the_gateway_ends_goes_on_after_a_reload(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway()
    flag = gateway.folder / "reload"
    stream = gateway.chat("lines 100", f"await {flag}", "lines 100", "result ok")
    seen = [stream.next() for _ in range(100)]
    before = set(gateway.workers())
    assert gateway.process is not None
    gateway.process.send_signal(signal.SIGHUP)
    (last,) = list(stream)
    assert last.name == "error"
    eventually(lambda: len(gateway.workers()) == 2 and not before & set(gateway.workers()))
    again = gateway.resume(stream.job_id, after=seen[-1].id)
    flag.touch()
    assert len(again.messages()) == 101


def test_a_killed_worker_loses_no_line(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(WORKERS="1")
    flag = gateway.folder / "killed"
    stream = gateway.chat("lines 100", f"await {flag}", "lines 100", "result ok")
    seen = [stream.next() for _ in range(100)]
    (worker,) = gateway.workers()
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: gateway.workers() not in ([], [worker]))
    flag.touch()
    again = gateway.resume(stream.job_id, after=seen[-1].id).messages()
    assert again[:-1] == [b"line %d" % number for number in range(100)]


def test_raw_lines_alone(gateway: Gateway) -> None:
    content = b'{"a":1}\n\n\xff\r\nlast'
    response = gateway.ask(
        "POST",
        "/chat",
        json={"prompt": f"raw {content.hex()}", "cwd": str(gateway.project)},
        headers={"Accept": "application/x-ndjson"},
    )
    assert response.headers["Content-Type"].startswith("application/x-ndjson")
    assert response.content == content


def test_one_object_when_the_job_has_ended(gateway: Gateway) -> None:
    answer = gateway.ask(
        "POST",
        "/chat",
        json={"prompt": "system s1\nresult ok", "cwd": str(gateway.project)},
        headers={"Accept": "application/json"},
    )
    record = answer.json()
    assert answer.status_code == 200
    assert (record["status"], record["is_error"]) == ("succeeded", False)
    assert record == gateway.ask("GET", f"/jobs/{record['process_id']}").json()


@pytest.mark.parametrize("accept", ["application/json", "text/plain"])
@pytest.mark.parametrize("verbs", ["result error", "exit 1", "die 9", "line x"])
def test_a_waiting_answer_fails_if_the_job_did(gateway: Gateway, accept: str, verbs: str) -> None:
    answer = gateway.ask(
        "POST",
        "/chat",
        json={"prompt": f"complain why\n{verbs}", "cwd": str(gateway.project)},
        headers={"Accept": accept},
    )
    # Neither curl --retry nor any other client repeats this by itself.
    assert answer.status_code == 424
    assert answer.headers["Content-Type"].startswith(accept)
    if accept == "application/json":
        body = answer.json()
        assert (body["code"], body["detail"]) == ("job_failed", body["error"])
        assert body["request_id"] == answer.headers["X-Request-ID"]
    else:
        assert answer.text.endswith("why\n")


def test_a_job_that_was_cancelled_or_lost_has_a_code_of_its_own(gateway: Gateway) -> None:
    headers = {"Accept": "application/json"}
    cancelled = gateway.chat("line a", "silent", detach=True)
    cancelled.next()
    gateway.ask("DELETE", f"/chat/{cancelled.job_id}")
    answer = gateway.ask("GET", f"/chat/{cancelled.job_id}", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (424, "job_cancelled")
    lost = gateway.chat("line a", "silent", detach=True)
    lost.next()
    os.kill(gateway.processes_of(lost.job_id).supervisor.pid, signal.SIGKILL)
    answer = gateway.ask("GET", f"/chat/{lost.job_id}", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (424, "job_lost")


@pytest.mark.parametrize("accept", ["application/json", "text/plain"])
def test_curl_does_not_repeat_a_job_that_failed(gateway: Gateway, accept: str) -> None:
    before = set((gateway.state / "jobs").iterdir())
    body = {"prompt": "exit 1", "cwd": str(gateway.project)}
    done = subprocess.run(
        [
            *("curl", "--silent", "--fail", "--retry", "2", "--retry-delay", "1"),
            *("--noproxy", "*", "--user", f"admin:{PASSWORD}", "--json", json.dumps(body)),
            *("--header", f"Accept: {accept}", f"{gateway.url}/chat"),
        ],
        timeout=PATIENCE,
    )
    # The exit status of --fail for an HTTP error.
    assert done.returncode == 22
    assert len(set((gateway.state / "jobs").iterdir()) - before) == 1


@pytest.mark.parametrize("accept", ["application/json", "text/plain"])
def test_a_job_that_outlives_its_waiting_answer_is_not_to_be_started_again(
    start_gateway: Callable[..., Gateway], accept: str
) -> None:
    gateway = start_gateway(WORKERS="1")
    body = {"prompt": "silent", "cwd": str(gateway.project)}
    headers = {"Accept": accept}
    with ThreadPoolExecutor() as threads:
        started = threads.submit(gateway.ask, "POST", "/chat", json=body, headers=headers)
        eventually(gateway.running)
        (job,) = gateway.running()
        path = f"/chat/{job['process_id']}"
        with pending(gateway, path, headers) as reading:
            gateway.reload()
            answer = started.result(PATIENCE)
            assert (answer.status_code, answer.json()["code"]) == (424, "gateway_stops")
            assert answer.headers["X-Process-ID"] == job["process_id"]
            # To read it again does nothing twice.
            again = reading.getresponse()
            assert (again.status, json.load(again)["code"]) == (503, "gateway_stops")
            assert again.headers["Retry-After"] == "1"
    assert gateway.ask("DELETE", path).status_code == 200


def test_a_text_ends_with_a_newline_and_holds_no_half_character(gateway: Gateway) -> None:
    line = '{"type":"result","is_error":false,"result":"caf\\u00e9 \\ud83d"}'
    for accept, body in (("text/plain", "café \ufffd\n"), ("application/json", "caf\u00e9 \ud83d")):
        answer = gateway.ask(
            "POST",
            "/chat",
            json={"prompt": f"line {line}", "cwd": str(gateway.project)},
            headers={"Accept": accept},
        )
        assert answer.status_code == 200
        assert body == (answer.text if accept == "text/plain" else answer.json()["result"])


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/json; charset=utf-8", "application/json"),
        ("application/json;charset=utf-8;q=0.9, */*;q=0.1", "application/json"),
        ("text/plain; format=flowed", "text/plain"),
        ("application/json, */*", "text/event-stream"),
        ("application/json, text/event-stream; charset=utf-8", "text/event-stream"),
    ],
)
def test_parameters_of_an_accepted_type_do_not_matter(
    gateway: Gateway, accept: str, kind: str
) -> None:
    body = {"prompt": "result ok", "cwd": str(gateway.project)}
    answer = gateway.ask("POST", "/chat", json=body, headers={"Accept": accept})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].partition(";")[0] == kind


def test_hanging_up_ends_a_job_that_is_waited_for(gateway: Gateway) -> None:
    body = {"prompt": "silent", "cwd": str(gateway.project)}
    with gone_at_the_end(gateway, "/chat", body, {"Accept": "application/json"}):
        eventually(gateway.running)
    eventually(lambda: not gateway.running())
    assert not marked_in(gateway.state)


def test_the_prompt_may_come_as_text_with_the_rest_in_the_query(gateway: Gateway) -> None:
    answer = gateway.ask(
        "POST",
        "/chat",
        params={"cwd": str(gateway.project), "model": "opus", "add_dir": ["/a", "/b"]},
        data=b"arguments\nresult ok",
        headers={"Content-Type": "text/plain", "Accept": "application/x-ndjson"},
    )
    seen = json.loads(answer.content.split(b"\n")[0])
    assert {"--model=opus", "--add-dir=/a", "--add-dir=/b"} <= set(seen["argv"])
    page = {"Content-Type": "text/plain", "Origin": "https://evil.example"}
    assert gateway.ask("POST", "/chat", data=b"x", headers=page).status_code == 403


def test_jobs_are_listed_newest_first_and_by_status(gateway: Gateway) -> None:
    ids = [gateway.chat(verb).done()["process_id"] for verb in ("result ok", "exit 1", "line x")]
    rows = gateway.ask("GET", "/jobs", params={"limit": 3}).json()["jobs"]
    assert [row["process_id"] for row in rows] == ids[::-1]
    older = gateway.ask("GET", "/jobs", params={"limit": 1, "before": ids[1]}).json()["jobs"]
    assert [row["process_id"] for row in older] == ids[:1]
    good = gateway.ask("GET", "/jobs", params={"status": "succeeded", "limit": 1}).json()["jobs"]
    assert [row["process_id"] for row in good] == ids[:1]
    for wrong in ({"status": "x"}, {"limit": "0"}, {"limit": "x"}):
        assert gateway.ask("GET", "/jobs", params=wrong).status_code == 422


def test_a_record_is_waited_for(gateway: Gateway) -> None:
    flag = gateway.folder / "waited"
    flag.unlink(missing_ok=True)
    stream = gateway.chat("system s9", f"await {flag}", "result ok", model="opus")
    stream.next()
    path = f"/jobs/{stream.job_id}"
    record = gateway.ask("GET", path, params={"wait": "0.05"}).json()
    assert (record["status"], record["session_id"], record["ended_at"]) == ("running", "s9", None)
    assert (record["model"], record["user"]) == ("opus", "admin")
    flag.touch()
    record = gateway.ask("GET", path, params={"wait": "20"}).json()
    assert (record["status"], record["total_cost_usd"]) == ("succeeded", 0.25)
    assert record["ended_at"].endswith("Z")


def test_an_interrupt_is_one_sigint_and_the_job_is_cancelled(gateway: Gateway) -> None:
    stream = gateway.chat("polite", "line a", "silent")
    stream.next()
    answer = gateway.ask("POST", f"/jobs/{stream.job_id}/interrupt")
    assert (answer.status_code, answer.json()["status"]) == (202, "interrupted")
    assert json.loads(stream.next().data)["type"] == "result"
    assert stream.done()["status"] == "cancelled"
    assert gateway.record(stream.job_id, "ended")["stop_signal"] == "SIGINT"
    assert gateway.ask("POST", f"/jobs/{stream.job_id}/interrupt").status_code == 404


def test_a_result_line_that_is_not_utf_8_can_be_read(gateway: Gateway) -> None:
    content = b'{"type":"result","is_error":false,"result":"\xff","n":' + b"9" * 5000 + b"}\n"
    done = gateway.chat(f"raw {content.hex()}").done()
    assert done["status"] == "succeeded"
    record = gateway.ask("GET", f"/jobs/{done['process_id']}").json()
    assert record["result"] == "\ufffd"


def test_a_job_that_removes_its_output_ends_like_any_other(gateway: Gateway) -> None:
    stream = gateway.chat("line a", "forget", "chatter 4 0.3", "exit 1")
    stream.next()
    ended = gateway.state / "jobs" / stream.job_id / "ended"
    eventually(ended.exists)
    assert gateway.record(stream.job_id, "ended")["status"] == "failed"
