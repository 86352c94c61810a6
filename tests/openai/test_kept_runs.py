"""Chat completions whose CLI stays for the conversation's next turn (`KEEP_ALIVE_CHAT`)."""

from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.openai.test_sessions import ANSWERED, KEY, TURN, conversation
from tests.support.completions import ANSWER, BEGIN, DELTA, ask
from tests.support.gateway import Gateway, eventually, marked_in
from tests.support.talk import await_turns

ANSWERED_TURN = f"{ANSWERED}\n{ANSWER}"


@pytest.fixture
def talking(gateway_with: Callable[..., Gateway]) -> Gateway:
    """A gateway with two users, once its worker knows that the CLI stays for further turns."""
    gateway = gateway_with(API_KEYS="another-users-key", WORKERS="1")
    await_turns(gateway)
    return gateway


def job_of(gateway: Gateway, answer: requests.Response) -> dict[str, Any]:
    """The record of a completion's job."""
    assert answer.status_code == 200, answer.text
    record: dict[str, Any] = gateway.ask("GET", f"/jobs/{answer.headers['X-Process-ID']}").json()
    return record


def runs(gateway: Gateway) -> list[str]:
    """The runs that are there now."""
    return [row["run_id"] for row in gateway.ask("GET", "/runs").json()["runs"] if row["jobs"]]


def test_a_conversation_goes_on_in_its_kept_run(talking: Gateway) -> None:
    first = job_of(talking, ask(talking, TURN))
    second = job_of(talking, ask(talking, messages=conversation(TURN, "done", TURN)))
    history = conversation(TURN, "done", TURN, "done", TURN)
    third = job_of(talking, ask(talking, messages=history))
    assert {each["run_id"] for each in (first, second, third)} == {first["process_id"]}
    assert {each["session_id"] for each in (first, second, third)} == {first["session_id"]}
    assert runs(talking) == [first["run_id"]]


def test_a_named_conversation_goes_on_in_its_kept_run(talking: Gateway) -> None:
    answers = [ask(talking, TURN, conversation_id="a-name") for _ in range(3)]
    assert len({job_of(talking, each)["run_id"] for each in answers}) == 1
    # The same name is another conversation for another user.
    other = ask(talking, TURN, conversation_id="a-name", **KEY)
    assert job_of(talking, other)["run_id"] != job_of(talking, answers[0])["run_id"]


@pytest.mark.parametrize("named", [{"conversation_id": "changing"}, {}], ids=["name", "history"])
def test_another_system_prompt_gets_another_run_of_the_session(
    talking: Gateway, named: dict[str, str]
) -> None:
    found = []
    texts: list[str] = []
    for prompt in ("be brief", "be brief", "be long"):
        texts.append(TURN)
        messages = [{"role": "system", "content": prompt}, *conversation(*texts)]
        found.append(job_of(talking, ask(talking, messages=messages, **named)))
        texts.append("done")
    first, second, third = (each["run_id"] for each in found)
    assert first == second != third
    assert len({each["session_id"] for each in found}) == 1
    # One session never has two processes.
    assert runs(talking) == [third]


def test_a_title_is_asked_for_beside_the_run_of_its_conversation(talking: Gateway) -> None:
    first = job_of(talking, ask(talking, ANSWERED_TURN))
    history = conversation(ANSWERED_TURN, "done", ANSWERED_TURN)
    title = job_of(talking, ask(talking, messages=history, stream=True))
    assert title["session_id"] != first["session_id"]
    # Its process does not stay.
    assert runs(talking) == [first["run_id"]]
    second = job_of(talking, ask(talking, messages=history))
    assert (second["session_id"], second["run_id"]) == (first["session_id"], first["run_id"])


@pytest.mark.parametrize("option", [{"session_persistence": False}, {"fork_session": True}])
def test_a_turn_that_does_not_add_to_the_session_leaves_it(
    talking: Gateway, option: dict[str, bool]
) -> None:
    start = f"{ANSWERED_TURN}\n{' ' * len(str(option))}"
    first = job_of(talking, ask(talking, start))
    history = conversation(start, "done", ANSWERED_TURN)
    beside = job_of(talking, ask(talking, messages=history, claude=option))
    assert beside["session_id"] != first["session_id"]
    second = job_of(talking, ask(talking, messages=history))
    assert (second["session_id"], second["run_id"]) == (first["session_id"], first["run_id"])


def test_another_answer_goes_on_in_a_run_of_its(talking: Gateway) -> None:
    start = f"{ANSWERED_TURN}\n"
    ask(talking, start)
    history = conversation(start, "done", ANSWERED_TURN)
    one, other = (job_of(talking, ask(talking, messages=history)) for _ in range(2))
    assert one["session_id"] != other["session_id"]
    assert {*runs(talking)} == {one["run_id"], other["run_id"]}
    longer = [*history, *conversation("", "done", ANSWERED_TURN)[1:]]
    third = job_of(talking, ask(talking, messages=longer))
    assert (third["session_id"], third["run_id"]) == (other["session_id"], other["run_id"])


@pytest.mark.parametrize(
    "named", [{"KEEP_ALIVE_CHAT": "0"}, {"MAX_KEEP_ALIVE": "0"}], ids=["chat", "most"]
)
def test_the_operator_can_have_each_process_end_with_its_turn(
    start_gateway: Callable[..., Gateway], named: dict[str, str]
) -> None:
    gateway = start_gateway(SPARES="0", WORKERS="1", **named)
    await_turns(gateway)
    first = job_of(gateway, ask(gateway, TURN))
    second = job_of(gateway, ask(gateway, messages=conversation(TURN, "done", TURN)))
    assert second["session_id"] == first["session_id"]
    assert "run_id" not in first
    assert "run_id" not in second
    assert not marked_in(gateway.state)


def test_a_request_chooses_for_itself(talking: Gateway) -> None:
    assert "run_id" not in job_of(talking, ask(talking, TURN, claude={"keep_alive": 0}))
    assert runs(talking) == []


def test_a_budget_is_not_shared_with_the_next_turn(talking: Gateway) -> None:
    options = {"max_budget_usd": 0.5}
    first = job_of(talking, ask(talking, TURN, claude=options))
    assert runs(talking) == []
    history = conversation(TURN, "done", TURN)
    second = job_of(talking, ask(talking, messages=history, claude=options))
    assert second["session_id"] == first["session_id"]
    assert second["run_id"] != first["run_id"]


def test_a_cut_answer_ends_a_run_to_which_no_history_leads(talking: Gateway) -> None:
    answer = ask(talking, BEGIN, DELTA, "silent", max_tokens=1)
    assert answer.json()["choices"][0]["finish_reason"] == "length"
    assert runs(talking) == []
    named = ask(talking, BEGIN, DELTA, "silent", max_tokens=1, conversation_id="cut")
    assert job_of(talking, named)["status"] == "cancelled"
    again = ask(talking, ANSWER, conversation_id="cut")
    assert job_of(talking, again)["run_id"] == job_of(talking, named)["run_id"]


def test_a_conversation_goes_on_after_a_turn_of_the_clis_own(talking: Gateway) -> None:
    own = talking.folder / "own"
    start = f"own {own}\n{TURN}"
    first = job_of(talking, ask(talking, start))
    session = first["session_id"]
    # After the end of the job: it would be a part of that.
    own.touch()

    def own_turns() -> int:
        (row,) = talking.ask("GET", "/runs").json()["runs"]
        count: int = row["own_turns"]
        return count

    eventually(own_turns)
    (transcript,) = talking.home.glob(f".claude/projects/*/{session}.jsonl")
    with transcript.open("a", encoding="utf-8") as more:
        more.write('{"type":"assistant","uuid":"the CLI\'s own"}\n')
    second = job_of(talking, ask(talking, messages=conversation(start, "done", TURN)))
    assert (second["session_id"], second["run_id"]) == (session, first["run_id"])


def test_a_session_that_another_client_went_on_with_is_not_taken(talking: Gateway) -> None:
    start = f"own 0.3\n{TURN}\n"
    first = job_of(talking, ask(talking, start))
    other = ask(talking, TURN, conversation_id=first["session_id"])
    assert job_of(talking, other)["run_id"] == first["run_id"]
    second = job_of(talking, ask(talking, messages=conversation(start, "done", TURN)))
    assert second["session_id"] != first["session_id"]
