"""Which session of the CLI a conversation of the OpenAI API goes on in."""

import json
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.completions import ANSWER, BEGIN, DELTA, ask, events, refused
from tests.support.gateway import Gateway
from tests.support.talk import await_turns

# What the CLI does in its home: its session's transcript grows.
REMEMBER = (
    "shell s=$(tr '\\0' '\\n' </proc/$PPID/cmdline"
    " | sed -nE 's/^--(session-id|resume)=//p' | tail -n 1);"
    " d=$HOME/.claude/projects/$(pwd | sed 's/[^A-Za-z0-9]/-/g');"
    ' mkdir -p "$d"; echo "$$" >>"$d/$s.jsonl";'
    ' echo "{\\"type\\":\\"system\\",\\"subtype\\":\\"init\\",\\"session_id\\":\\"$s\\"}"'
)
TURN = f"{REMEMBER}\n{ANSWER}"
# Its session's transcript has a message of Claude's.
SAID = "0e6ff1f5-8bd7-4b9f-9d8c-6a0cf8f5a0f1"
ANSWERED = REMEMBER.replace(
    'echo "$$"',
    f'echo "{{\\"type\\":\\"assistant\\",\\"uuid\\":\\"{SAID}\\",\\"parentUuid\\":\\"{SAID}\\"}}"',
)
KEY = {"auth": None, "headers": {"Authorization": "Bearer another-users-key"}}


def conversation(*texts: str) -> list[dict[str, str]]:
    """The messages of a user and of Claude by turns."""
    return [{"role": ("user", "assistant")[n % 2], "content": t} for n, t in enumerate(texts)]


@pytest.fixture
def two_users(gateway_with: Callable[..., Gateway]) -> Gateway:
    """A gateway with a password and a key."""
    return gateway_with(API_KEYS="another-users-key")


# Sessions


def test_a_history_goes_on_in_its_session(gateway: Gateway) -> None:
    first = ask(gateway, TURN).json()
    second = ask(gateway, messages=conversation(TURN, "done", TURN)).json()
    assert second["session_id"] == first["session_id"]


def test_of_two_that_go_on_at_once_one_gets_the_session(gateway: Gateway) -> None:
    first = ask(gateway, TURN + "\n").json()
    found: list[str] = []

    def go_on() -> None:
        body = ask(gateway, messages=conversation(TURN + "\n", "done", TURN)).json()
        found.append(body["session_id"])

    threads = [threading.Thread(target=go_on) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 6
    assert found.count(first["session_id"]) == 1


def test_of_two_workers_one_gets_the_session_and_the_others_fork_it(
    gateway_with: Callable[..., Gateway],
) -> None:
    gateway = gateway_with(WORKERS="2", MAX_JOBS="8")
    await_turns(gateway)
    turn = f"{ANSWERED}\n{ANSWER}"
    first = ask(gateway, turn).json()["session_id"]
    with ThreadPoolExecutor(8) as pool:
        history = conversation(turn, "done", turn)
        answers = list(pool.map(lambda _: ask(gateway, messages=history), range(16)))
    found = [each.json()["session_id"] for each in answers]
    assert len(set(found)) == 16
    assert found.count(first) == 1
    for answer, session in zip(answers, found, strict=True):
        start = gateway.state / "runs" / answer.headers["X-Process-ID"] / "start.json"
        if session != first:
            arguments = json.loads(start.read_bytes())["arguments"]
            expected = {f"--resume={first}", f"--resume-session-at={SAID}", "--fork-session"}
            assert expected | {f"--session-id={session}"} <= set(map(str, arguments))
    # Each can be continued.
    third = [*history, *conversation("", "done", turn)[1:]]
    assert ask(gateway, messages=third).json()["session_id"] in found


def test_a_request_that_is_sent_again_leaves_its_session_as_it_is(gateway: Gateway) -> None:
    start = f"{TURN}\n\n"
    key = {"Idempotency-Key": f"again-{time.monotonic()}"}
    first = ask(gateway, start, headers=key).json()
    second = ask(gateway, messages=conversation(start, "done", TURN)).json()
    assert second["session_id"] == first["session_id"]
    # Its answer was lost: it is sent again.
    assert ask(gateway, start, headers=key).json()["id"] == first["id"]
    # That session has gone on since: it has messages that this history has not.
    third = ask(gateway, messages=conversation(start, "done", f"{TURN}\n\nanother")).json()
    assert third["session_id"] != first["session_id"]


def test_a_request_that_is_sent_again_is_no_further_turn(gateway: Gateway) -> None:
    key = {"Idempotency-Key": f"turns-{time.monotonic()}"}
    for _ in range(3):
        session = ask(gateway, f"{TURN}\n\n\n", headers=key).json()["session_id"]
    assert gateway.ask("GET", f"/v1/conversations/{session}").json()["turns"] == 1


def test_no_user_takes_a_conversation_from_another(two_users: Gateway) -> None:
    made = two_users.ask("POST", "/v1/conversations", json={"metadata": {"title": "mine"}}).json()
    ask(two_users, TURN, conversation_id=made["id"])
    ask(two_users, TURN, conversation_id=made["id"], **KEY)
    mine = two_users.ask("GET", f"/v1/conversations/{made['id']}")
    assert mine.status_code == 200, mine.text
    assert mine.json()["metadata"] == {"title": "mine"}


def test_no_user_continues_another_users_conversation(two_users: Gateway) -> None:
    made = ask(two_users, TURN).json()
    other = ask(two_users, TURN, conversation_id=made["session_id"], **KEY)
    assert refused(other)[:2] in {(404, "session_not_found"), (404, "conversation_not_found")}


def test_the_same_history_of_another_user_begins_a_session(two_users: Gateway) -> None:
    first = ask(two_users, TURN).json()
    messages = conversation(TURN, "done", TURN)
    second = ask(two_users, messages=messages, **KEY).json()
    assert second["session_id"] != first["session_id"]


def test_a_session_whose_transcript_is_gone_is_not_gone_on_with(gateway: Gateway) -> None:
    start = f"{TURN}\n\n\n\n"
    first = ask(gateway, start).json()
    (transcript,) = gateway.home.glob(f".claude/projects/*/{first['session_id']}.jsonl")
    transcript.unlink()
    second = ask(gateway, messages=conversation(start, "done", TURN)).json()
    assert second["session_id"] != first["session_id"]


def test_what_cannot_be_remembered_spoils_no_answer(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway()
    for folder in ("histories", "conversations"):
        shutil.rmtree(gateway.state / folder)
    answer = ask(gateway, TURN)
    assert answer.status_code == 200, answer.text
    assert events(ask(gateway, TURN, stream=True))[-1] == "[DONE]"


def test_a_key_does_not_stand_for_other_options(gateway: Gateway) -> None:
    key = f"options-{time.monotonic()}"
    ask(gateway, ANSWER, headers={"Idempotency-Key": key, "X-Claude-Workspace": "one"})
    other = ask(gateway, ANSWER, headers={"Idempotency-Key": key, "X-Claude-Workspace": "two"})
    assert refused(other)[:2] == (409, "idempotency_key_reused")


def test_a_replayed_stream_is_the_same(gateway: Gateway) -> None:
    headers = {"Idempotency-Key": f"stream-{time.monotonic()}"}
    first, second = (
        ask(gateway, BEGIN, DELTA, ANSWER, stream=True, headers=headers) for _ in range(2)
    )
    assert first.headers["X-Process-ID"] == second.headers["X-Process-ID"]
    assert first.headers.get("X-Session-ID") == second.headers.get("X-Session-ID")
    body = [[chunk["choices"] for chunk in events(answer)[:-1]] for answer in (first, second)]
    assert body[0] == body[1]
    assert events(second)[-1] == "[DONE]"
