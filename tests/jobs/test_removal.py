"""A job that has ended can be removed early, with everything that is known of it."""

import json
from uuid import uuid4

from tests.support.gateway import Gateway, eventually


def test_an_ended_job_is_removed_with_its_record_and_output(gateway: Gateway) -> None:
    stream = gateway.chat("line a", "result ok")
    stream.done()
    answer = gateway.ask("DELETE", f"/jobs/{stream.job_id}")
    assert answer.status_code == 200
    assert answer.json() == {"status": "removed", "process_id": stream.job_id}
    for method, path in (
        ("GET", f"/jobs/{stream.job_id}"),
        ("GET", f"/chat/{stream.job_id}"),
        ("DELETE", f"/jobs/{stream.job_id}"),
    ):
        answer = gateway.ask(method, path)
        assert (answer.status_code, answer.json()["code"]) == (404, "process_not_found")
    rows = gateway.ask("GET", "/jobs?limit=500").json()["jobs"]
    assert stream.job_id not in [row["process_id"] for row in rows]
    for folder in ("jobs", "live", "unlogged"):
        assert not (gateway.state / folder / stream.job_id).exists()
    # The log has its end, which another worker may be about to log, and the user that removed it.
    eventually(lambda: f"job {stream.job_id} succeeded after" in gateway.log())
    assert f"job {stream.job_id} is removed: requested by admin" in gateway.log()


def test_a_job_that_has_not_ended_is_not_removed(gateway: Gateway) -> None:
    stream = gateway.chat("line a", "silent")
    stream.next()
    answer = gateway.ask("DELETE", f"/jobs/{stream.job_id}")
    assert (answer.status_code, answer.json()["code"]) == (409, "job_running")
    assert [row["process_id"] for row in gateway.running()] == [stream.job_id]
    assert gateway.ask("DELETE", f"/chat/{stream.job_id}").status_code == 200
    assert gateway.ask("DELETE", f"/jobs/{stream.job_id}").status_code == 200
    assert stream.done()["status"] == "cancelled"


def test_a_removed_jobs_idempotency_key_is_free_again(gateway: Gateway) -> None:
    headers = {"Idempotency-Key": str(uuid4()), "Prefer": "respond-async"}
    body = {"prompt": "result ok", "cwd": str(gateway.project)}

    def start() -> str:
        answer = gateway.ask("POST", "/chat", json=body, headers=headers)
        job: str = answer.json()["process_id"]
        eventually(lambda: gateway.ask("GET", f"/jobs/{job}").json()["status"] == "succeeded")
        return job

    first = start()
    assert start() == first
    assert gateway.ask("DELETE", f"/jobs/{first}").status_code == 200
    assert start() != first


def test_a_stream_of_a_removed_job_ends_with_done_or_an_error(gateway: Gateway) -> None:
    job = gateway.chat("lines 200000", "result ok")
    job.done()
    reader = gateway.resume(job.job_id)
    assert reader.next().data == b"line 0"
    assert gateway.ask("DELETE", f"/jobs/{job.job_id}").status_code == 200
    *lines, last = [event for event in reader if event.name != ":"]
    assert last.name in ("done", "error")
    if last.name == "error":
        assert json.loads(last.data)["code"] == "process_not_found"
    assert [event.name for event in lines] == ["message"] * len(lines)
