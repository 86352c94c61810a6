"""Responses in the background whose worker or start fails."""

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import requests

from tests.responses.test_stored import BEGIN, END, ended, read
from tests.support.gateway import Gateway, eventually
from tests.support.responses import refused, respond, response_of


def records(gateway: Gateway) -> set[Path]:
    """The records of responses."""
    folder = gateway.state / "responses"
    return {path for path in folder.iterdir() if "." not in path.name} if folder.exists() else set()


def test_a_response_whose_worker_is_killed_at_the_start_can_be_read(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway(WORKERS="1", SPARES="0")
    response_of(respond(gateway, *BEGIN, *END))
    before, launcher, (worker,) = records(gateway), gateway.launcher(), gateway.workers()

    def ask() -> None:
        with suppress(requests.ConnectionError):
            respond(gateway, *BEGIN, *END, background=True)

    client = threading.Thread(target=ask)
    os.kill(launcher, signal.SIGSTOP)
    try:
        client.start()
        # No process has been able to start the job.
        eventually(lambda: records(gateway) - before)
        os.kill(worker, signal.SIGKILL)
        client.join()
    finally:
        os.kill(launcher, signal.SIGCONT)
    (record,) = records(gateway) - before
    # The launcher may have been asked to start the job, or not.
    assert ended(gateway, f"resp_{record.name}")["status"] in ("completed", "failed")


def test_a_response_that_could_not_be_started_is_not_the_last_of_its_conversation(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway(MAX_JOBS="1", QUEUE_SIZE="0")
    conversation = gateway.ask("POST", "/v1/conversations", json={}).json()["id"]
    first = response_of(respond(gateway, *BEGIN, *END, conversation=conversation))["id"]
    before = records(gateway)
    busy = gateway.chat("silent")
    answer = respond(gateway, *BEGIN, *END, conversation=conversation, background=True)
    assert refused(answer)[0] == 429
    assert records(gateway) == before
    busy.close()
    eventually(lambda: not gateway.running())
    following = response_of(respond(gateway, *BEGIN, *END, conversation=conversation))["id"]
    assert f'"previous": "{first}"' in (
        gateway.state / "responses" / following.removeprefix("resp_")
    ).read_text(encoding="utf-8")


def test_a_conversation_goes_on_without_a_response_whose_job_is_gone(gateway: Gateway) -> None:
    conversation = gateway.ask("POST", "/v1/conversations", json={}).json()["id"]
    named = {"conversation": conversation}
    first = response_of(respond(gateway, *BEGIN, *END, **named))["id"]
    lost = response_of(respond(gateway, *BEGIN, *END, background=True, **named))["id"]
    job = lost.removeprefix("resp_")
    assert gateway.ask("GET", f"/jobs/{job}?wait=20").json()["ended_at"]
    assert gateway.ask("DELETE", f"/jobs/{job}").status_code == 200
    assert refused(read(gateway, lost))[0] == 404
    following = response_of(respond(gateway, *BEGIN, *END, **named))["id"]
    assert f'"previous": "{first}"' in (
        gateway.state / "responses" / following.removeprefix("resp_")
    ).read_text(encoding="utf-8")
