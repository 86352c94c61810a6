"""Who may see and end a job: the operator all of them, a key's user their own."""

import json
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.auth.api_keys import hashed
from tests.support.described import application
from tests.support.gateway import AUTH, Gateway, eventually
from tests.support.two_users import ALICE, BOB, KEYS, by, chat


def job_ids(gateway: Gateway, path: str, name: str, key: str | None) -> set[str]:
    """The jobs of a listing."""
    rows = gateway.ask("GET", path, **(by(key) if key else {})).json()[name]
    return {row["process_id"] for row in rows}


def users_in_usage(gateway: Gateway, key: str) -> list[str]:
    """The users whose usage a user sees."""
    rows = gateway.ask("GET", "/usage?by=user", **by(key)).json()["rows"]
    return [row["key"] for row in rows]


@pytest.fixture
def two(gateway_with: Callable[..., Gateway]) -> Gateway:
    """A gateway with the operator, alice and bob, who may have jobs that have ended."""
    return gateway_with(API_KEYS=KEYS)


@pytest.fixture
def new_two(start_gateway: Callable[..., Gateway]) -> Gateway:
    """The same, without a job."""
    return start_gateway(API_KEYS=KEYS)


def test_each_user_lists_their_own_and_the_operator_all(new_two: Gateway) -> None:
    ended = {key: chat(new_two, key, "result ok").done()["process_id"] for key in (ALICE, BOB)}
    running = {key: chat(new_two, key, "silent").job_id for key in (ALICE, BOB)}
    for key in (ALICE, BOB):
        assert job_ids(new_two, "/processes", "processes", key) == {running[key]}
        assert job_ids(new_two, "/jobs", "jobs", key) == {running[key], ended[key]}
        stats = new_two.ask("GET", "/stats", **by(key)).json()
        assert stats["jobs"] == {"succeeded": 1, "running": 1, "queued": 0}
        assert [row["user"] for row in stats["users"]] == ["alice" if key == ALICE else "bob"]
        # In the ledger once its end is logged.
        eventually(lambda key=key: users_in_usage(new_two, key))  # type: ignore[misc]
        assert users_in_usage(new_two, key) == ["alice" if key == ALICE else "bob"]
    assert job_ids(new_two, "/processes", "processes", None) == {*running.values()}
    assert job_ids(new_two, "/jobs", "jobs", None) == {*running.values(), *ended.values()}
    users = {row["user"] for row in new_two.ask("GET", "/jobs").json()["jobs"]}
    assert users == {"alice", "bob"}
    assert new_two.ask("GET", "/stats").json()["jobs"]["running"] == 2


def refusals(gateway: Gateway, job_id: str, key: str) -> list[tuple[str, int, dict[str, Any]]]:
    """The responses of every view that takes a job, without what differs in any response."""
    found = []
    for rule in sorted(application().url_map.iter_rules(), key=str):
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            if "job_id" in rule.arguments:
                path = str(rule).replace("<job_id>", job_id).replace("<question_id>", "q")
                answer = gateway.ask(method, path, **by(key))
                body = json.loads(answer.text.replace(job_id, "ID"))
                body.pop("request_id")
                found.append((f"{method} {rule}", answer.status_code, body))
    answer = gateway.ask("GET", "/jobs", params={"before": job_id}, **by(key))
    body = json.loads(answer.text.replace(job_id, "ID"))
    body.pop("request_id")
    return [*found, ("before", answer.status_code, body)]


def test_every_view_treats_another_users_job_as_unknown(two: Gateway) -> None:
    ended = chat(two, ALICE, "result ok").done()["process_id"]
    running = chat(two, ALICE, "silent").job_id
    unknown = refusals(two, str(uuid4()), BOB)
    assert len(unknown) >= 5
    assert {status for _, status, _ in unknown} == {404}
    for job_id in (ended, running):
        assert refusals(two, job_id, BOB) == unknown
    # Its user and the operator can use it, and it was not changed.
    assert two.ask("GET", f"/jobs/{running}", **by(ALICE)).json()["status"] == "running"
    assert two.ask("GET", f"/jobs/{ended}", **by(ALICE)).json()["status"] == "succeeded"
    assert two.ask("POST", f"/jobs/{running}/interrupt", **by(ALICE)).status_code == 202
    other = chat(two, ALICE, "silent").job_id
    assert two.ask("DELETE", f"/chat/{other}").status_code == 200


def test_these_tests_know_every_argument_of_a_view() -> None:
    arguments = {frozenset(rule.arguments) for rule in application().url_map.iter_rules()}
    known = [set(), {"job_id"}, {"model"}, {"conversation_id"}, {"name"}, {"filename"}]
    known += [{"job_id", "question_id"}, {"run_id"}, {"response_id"}, {"session_id"}]
    assert arguments <= {frozenset(each) for each in known}


def test_a_conversation_belongs_to_its_user_and_the_operator(new_two: Gateway) -> None:
    made = new_two.ask("POST", "/v1/conversations", **by(ALICE)).json()["id"]
    assert new_two.ask("GET", f"/v1/conversations/{made}", **by(ALICE)).status_code == 200
    assert new_two.ask("GET", f"/v1/conversations/{made}").status_code == 200
    theirs, unknown = (
        new_two.ask("GET", f"/v1/conversations/{each}", **by(BOB)) for each in (made, uuid4())
    )
    assert (theirs.status_code, theirs.json()["error"]["code"]) == (404, "conversation_not_found")
    assert unknown.json()["error"]["code"] == "conversation_not_found"
    assert new_two.ask("GET", "/v1/conversations", **by(BOB)).json()["data"] == []


def refusals_of_response(gateway: Gateway, name: str, key: str) -> list[tuple[str, int, Any]]:
    """The responses of every view that takes a response of the model."""
    found = []
    for rule in sorted(application().url_map.iter_rules(), key=str):
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            if "response_id" in rule.arguments:
                answer = gateway.ask(method, str(rule).replace("<response_id>", name), **by(key))
                error = json.loads(answer.text.replace(name, "ID"))["error"]
                error.pop("request_id", None)
                found.append((f"{method} {rule}", answer.status_code, error))
    return found


def test_every_view_treats_another_users_response_as_unknown(two: Gateway) -> None:
    body: dict[str, Any] = {
        "input": "result ok",
        "claude": {"mode": "agent", "cwd": str(two.project)},
    }
    ended = two.ask("POST", "/v1/responses", json=body, **by(ALICE)).json()["id"]
    body |= {"input": "silent", "background": True}
    running = two.ask("POST", "/v1/responses", json=body, **by(ALICE)).json()["id"]
    unknown = refusals_of_response(two, f"resp_{uuid4()}", BOB)
    assert len(unknown) >= 4
    assert {status for _, status, _ in unknown} == {404}
    for name in (ended, running):
        assert refusals_of_response(two, name, BOB) == unknown
        body = {"input": "result ok", "previous_response_id": name}
        answer = two.ask("POST", "/v1/responses", json=body, **by(BOB))
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "previous_response_not_found"
    # Its user and the operator can use it, and it was not changed.
    assert two.ask("GET", f"/v1/responses/{ended}", **by(ALICE)).json()["status"] == "completed"
    assert two.ask("GET", f"/v1/responses/{running}").json()["status"] == "in_progress"
    cancelled = two.ask("POST", f"/v1/responses/{running}/cancel", **by(ALICE))
    assert cancelled.json()["status"] == "cancelled"


def refused_session(gateway: Gateway, key: str, session: str, **fields: Any) -> bool:
    """Whether every API refuses to continue a session for this key, as if it did not exist."""
    body = {"prompt": "line a", "cwd": str(gateway.project), "session_id": session, **fields}
    talk = {"messages": [{"role": "user", "content": "line a"}], "claude": {"cwd": body["cwd"]}}
    option = {"mode": "agent", "cwd": body["cwd"], "session_id": session}
    answers = [
        gateway.ask("POST", "/chat", json=body, **by(key)),
        gateway.ask("POST", "/api/claude", json=body, **by(key)),
        gateway.ask(
            "POST", "/v1/chat/completions", json={**talk, "session_id": session}, **by(key)
        ),
        gateway.ask("POST", "/v1/responses", json={"input": "line a", "claude": option}, **by(key)),
    ]
    # Errors of Anthropic's API have no code.
    message = gateway.ask(
        "POST",
        "/v1/messages",
        json={**talk, "model": "sonnet", "max_tokens": 9, "claude": option},
        **by(key),
    )
    # Nor can it be begun.
    begun = {**body, "session_id": None, "new_session_id": session, "fork_session": False}
    new = gateway.ask("POST", "/chat", json=begun, **by(key))
    codes = [
        (answer.json().get("error") or answer.json()).get("code")
        for answer in answers
        if answer.status_code == 404
    ]
    assert codes in ([], ["session_not_found"] * 4), codes
    refused = bool(codes)
    assert (message.status_code == 404) is refused, message.text
    assert (new.status_code == 409) is refused, new.text
    return refused


def test_a_session_belongs_to_the_user_whose_job_started_it(new_two: Gateway) -> None:
    sessions = {key: str(uuid4()) for key in (ALICE, BOB)}
    for key, session in sessions.items():
        assert chat(new_two, key, f"system {session}", "line b").done()["session_id"] == session
    assert refused_session(new_two, BOB, sessions[ALICE])
    assert refused_session(new_two, BOB, sessions[ALICE].upper())
    assert refused_session(new_two, BOB, sessions[ALICE], fork_session=True)
    assert refused_session(new_two, ALICE, sessions[BOB])
    # It still does when the operator continues it, and when the job is no longer kept.
    new_two.chat(f"system {sessions[ALICE]}", session_id=sessions[ALICE]).done()
    for job_id in job_ids(new_two, "/jobs", "jobs", None):
        for path in (new_two.state / "jobs" / job_id).iterdir():
            path.unlink()
        (new_two.state / "jobs" / job_id).rmdir()
    assert chat(new_two, ALICE, "line c", session_id=sessions[ALICE]).messages() == [b"c"]
    assert refused_session(new_two, BOB, sessions[ALICE])
    # A fork belongs to the user that made it.
    fork = str(uuid4())
    chat(new_two, BOB, f"system {fork}", session_id=sessions[BOB], fork_session=True).done()
    assert refused_session(new_two, ALICE, fork)
    assert chat(new_two, BOB, "line d", session_id=fork).messages() == [b"d"]


def test_a_session_belongs_to_its_user_while_its_job_runs(two: Gateway) -> None:
    session = str(uuid4())
    running = chat(two, ALICE, f"system {session}", "silent")
    running.next()
    assert refused_session(two, BOB, session)
    waiting = chat(two, ALICE, "line b", session_id=session)
    assert waiting.next().data.startswith(b"queued 1")
    assert two.ask("DELETE", f"/chat/{running.job_id}").status_code == 200
    assert waiting.messages() == [b"b"]


def write_transcript(gateway: Gateway, cwd: Path, session: str) -> None:
    """Give a session a message, as the CLI does."""
    folder = re.sub(r"[^A-Za-z0-9]", "-", str(cwd.resolve()))
    transcript = gateway.home / ".claude/projects" / folder / f"{session}.jsonl"
    transcript.parent.mkdir(parents=True)
    transcript.write_text("said\n")


def test_a_session_that_was_started_in_a_terminal_belongs_to_the_operator(two: Gateway) -> None:
    session = str(uuid4())
    # Without one, the id is no session's, and a client may use it as a name.
    write_transcript(two, two.project, session)
    assert refused_session(two, ALICE, session)
    assert two.chat("line a", session_id=session).messages() == [b"a"]
    two.chat(f"system {session}", session_id=session).done()
    assert refused_session(two, ALICE, session)


def test_the_users_of_sessions_are_found_at_the_first_start_after_1_0(
    new_two: Gateway,
) -> None:
    session = str(uuid4())
    chat(new_two, ALICE, f"system {session}").done()
    # A job that continues the session does not change its user.
    new_two.chat(f"system {session}", session_id=session).done()
    assert new_two.stop() == 0
    for record in (new_two.state / "sessions").iterdir():
        record.unlink()
    (new_two.state / "sessions").rmdir()
    new_two.start()
    assert refused_session(new_two, BOB, session)
    assert chat(new_two, ALICE, "line b", session_id=session).messages() == [b"b"]


def test_a_session_whose_record_is_damaged_belongs_to_the_operator(two: Gateway) -> None:
    session = str(uuid4())
    chat(two, ALICE, f"system {session}").done()
    for damage in ("", "{}", '{"user": 1}', "\0" * 20):
        (two.state / "sessions" / session).write_text(damage)
        assert refused_session(two, ALICE, session)
        assert two.chat("line a", session_id=session).messages() == [b"a"]


def named(gateway: Gateway, key: str, name: str, **headers: str) -> list[str]:
    """The CLI's arguments about the session, for a conversation with this name."""
    sent = {**by(key)["headers"], "X-Session-ID": name, **headers}
    body = {"messages": [{"role": "user", "content": "arguments\nresult ok"}]}
    # A process that stays keeps the arguments of its first turn.
    body["claude"] = {"events": True, "keep_alive": 0}  # type: ignore[assignment]
    answer = gateway.ask("POST", "/v1/chat/completions", json=body, auth=None, headers=sent)
    lines: list[dict[str, Any]] = answer.json()["choices"][0]["message"]["claude"]
    (argv,) = [line["argv"] for line in lines if "argv" in line]
    return [argument for argument in argv if argument.startswith(("--resume", "--session-id"))]


def test_a_name_starts_a_conversation_per_user_and_is_never_resumed_itself(two: Gateway) -> None:
    (option,) = named(two, ALICE, "topsecret")
    flag, _, session = option.partition("=")
    assert flag == "--session-id" and str(UUID(session)) == session
    assert named(two, ALICE, "topsecret") == [option]
    (other,) = named(two, BOB, "topsecret")
    assert other.startswith("--session-id=") and other != option
    assert refused_session(two, BOB, session)
    # Once the CLI has the session, it is continued.
    write_transcript(two, two.state / "workspaces/shared", session)
    assert named(two, ALICE, "topsecret") == [f"--resume={session}"]


def test_a_title_is_not_accepted_as_a_session_outside_of_the_chat_api(two: Gateway) -> None:
    body = {"prompt": "line a", "cwd": str(two.project), "session_id": "topsecret"}
    for path in ("/chat", "/api/claude"):
        answer = two.ask("POST", path, json=body)
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"] == ["body", "session_id"]


def test_with_shared_jobs_each_user_may_use_every_job(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway(API_KEYS=KEYS, SHARED_JOBS="true")
    ended = chat(gateway, ALICE, "result ok").done()["process_id"]
    running = chat(gateway, ALICE, "silent").job_id
    assert job_ids(gateway, "/jobs", "jobs", BOB) == {ended, running}
    assert gateway.ask("GET", f"/chat/{ended}", **by(BOB)).status_code == 200
    assert gateway.ask("DELETE", f"/chat/{running}", **by(BOB)).status_code == 200
    session = str(uuid4())
    assert chat(gateway, BOB, "line a", session_id=session).messages() == [b"a"]
    chat(gateway, ALICE, f"system {session}").done()
    assert chat(gateway, BOB, "line a", session_id=session).messages() == [b"a"]


K1, K2, K3 = "key-of-the-first-user", "key-of-the-second-user", "key-of-the-third-user"


def restart(gateway: Gateway, keys: str) -> None:
    """Restart the gateway with other keys."""
    assert gateway.stop() == 0
    gateway.environment["API_KEYS"] = keys
    gateway.start()


def test_a_key_keeps_its_jobs_when_keys_are_removed_added_and_moved(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway(API_KEYS=f"{K1},{K2}")
    again = {"Idempotency-Key": "the-same"}
    mine = by(K1)
    mine["headers"].update(again)
    body = {"prompt": "result ok", "cwd": str(gateway.project)}
    job_id = gateway.opened(gateway.ask("POST", "/chat", json=body, stream=True, **mine)).done()[
        "process_id"
    ]
    made = gateway.ask("POST", "/v1/conversations", **by(K1)).json()["id"]
    for keys in (K2, f"{K2},{K3}", f"{K3},{K2}"):
        restart(gateway, keys)
        for key in keys.split(","):
            assert job_ids(gateway, "/jobs", "jobs", key) <= {None}
            assert gateway.ask("GET", f"/v1/conversations/{made}", **by(key)).status_code == 404
    theirs = by(K2)
    theirs["headers"].update(again)
    other = gateway.ask("POST", "/chat", json=body, stream=True, **theirs)
    assert gateway.opened(other).done()["process_id"] != job_id
    # A key that gets a name, or is hashed, is still the same user's.
    restart(gateway, f"{K3},{hashed('first', K1)}")
    assert job_ids(gateway, "/jobs", "jobs", K1) == {job_id}
    assert gateway.ask("GET", f"/jobs/{job_id}").json()["user"] == "first"
    assert gateway.ask("GET", f"/v1/conversations/{made}", **by(K1)).status_code == 200
    same = gateway.ask("POST", "/chat", json=body, stream=True, **mine)
    assert gateway.opened(same).done()["process_id"] == job_id
    # So is another key with the same name.
    restart(gateway, f"{hashed('first', K2)}")
    assert job_ids(gateway, "/jobs", "jobs", K2) == {job_id}


def test_users_keep_their_jobs_after_a_job_has_removed_the_file_of_users(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway(API_KEYS=f"{K1},{K2}")
    job_id = chat(gateway, K1, "result ok").done()["process_id"]
    (gateway.state / "users").unlink()
    restart(gateway, f"{K2},{K1}")
    assert job_ids(gateway, "/jobs", "jobs", K1) == {job_id}
    assert job_ids(gateway, "/jobs", "jobs", K2) == set()


@pytest.mark.parametrize(
    "settings",
    [
        {"API_KEYS": f"{K1},{K2}", "AUTH_USER": "key-1"},
        {"API_KEYS": f"alice:{K1},alice:{K2}"},
        {"API_KEYS": f"alice:{K1},{K2}", "AUTH_USER": "alice"},
        {"API_KEYS": "changeme"},
        {"AUTH_PASSWORD": " "},
    ],
)
def test_a_start_with_equal_names_or_weak_secrets_fails_with_one_line(
    settings: dict[str, str], fake_claude: Path, tmp_path: Path
) -> None:
    gateway = Gateway(tmp_path, fake_claude, **settings)
    assert gateway.launch().wait(20) == 78
    assert len(gateway.log().splitlines()) == 1
    assert "cannot use A" in gateway.log()


def test_a_reload_with_equal_names_is_refused(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway()
    workers = gateway.workers()
    (gateway.folder / ".env").write_text(f"API_KEYS=alice:{K1},alice:{K2}\n")
    assert gateway.process is not None
    gateway.process.send_signal(signal.SIGHUP)
    eventually(lambda: "the reload is refused: cannot use API_KEYS" in gateway.log(), gateway.log)
    assert gateway.workers() == workers
    assert gateway.ask("GET", "/processes").status_code == 200


def test_a_401_shows_how_to_sign_in(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway()
    for path in ("/jobs", "/v1/models"):
        for answer in (
            gateway.ask("GET", path, auth=None),
            gateway.ask("GET", path, **by("a-wrong-key")),
        ):
            assert "Authorization: Bearer KEY" in answer.text
            assert "claudecode2api key add NAME" in answer.text
    assert gateway.ask("GET", "/jobs", auth=None).json()["detail"] == "Not authenticated"
    assert AUTH[0] not in gateway.ask("GET", "/jobs", auth=None).json()["hint"]
