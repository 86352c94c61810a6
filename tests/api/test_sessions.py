"""`/sessions`: a client finds a conversation, reads it, and continues it."""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from app.cli.transcript_page import LONGEST_LINE
from tests.support.gateway import Gateway, eventually
from tests.support.transcripts import line, prompt, write_transcript
from tests.support.two_users import ALICE, BOB, KEYS, by, chat

Start = Callable[..., Gateway]

#: A session that does not exist.
NONE = "00000000-0000-4000-8000-000000000000"


def listed(gateway: Gateway, key: str | None = None, **query: Any) -> list[dict[str, Any]]:
    """The rows of one page."""
    answer = gateway.ask("GET", "/sessions", params=query, **(by(key) if key else {}))
    assert answer.status_code == 200, answer.text
    assert answer.json()["count"] == len(answer.json()["sessions"])
    rows: list[dict[str, Any]] = answer.json()["sessions"]
    return rows


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["session_id"] for row in rows]


def test_each_user_sees_their_own_sessions_and_the_operator_all(start_gateway: Start) -> None:
    gateway = start_gateway(API_KEYS=KEYS)
    mine, theirs, other = (str(uuid4()) for _ in range(3))
    write_transcript(gateway.home, "/", other, prompt("In a terminal"), changed=1.7e9)
    jobs = []
    for key, session in ((ALICE, mine), (BOB, theirs)):
        write_transcript(gateway.home, gateway.project, session, prompt("Hello"))
        jobs.append(chat(gateway, key, f"system {session}", "line a").done()["process_id"])
    assert ids(listed(gateway, ALICE)) == [mine]
    assert ids(listed(gateway, BOB)) == [theirs]
    assert ids(listed(gateway)) == [theirs, mine, other]
    assert ids(listed(gateway, ALICE, origin="terminal")) == []
    assert ids(listed(gateway, origin="terminal")) == [other]
    # Page by page.
    first = gateway.ask("GET", "/sessions?limit=2").json()
    rest = gateway.ask("GET", "/sessions", params={"before": first["next"]}).json()
    assert (ids(rest["sessions"]), rest["next"]) == ([other], None)

    refused = [
        gateway.ask("GET", f"/sessions/{each}", **by(BOB))
        for each in (mine, other, str(uuid4()), mine.upper())
    ]
    assert {(each.status_code, each.json()["code"]) for each in refused} == {
        (404, "session_not_found")
    }
    found = gateway.ask("GET", f"/sessions/{mine.upper()}", **by(ALICE)).json()
    assert (found["session_id"], found["jobs"]) == (mine, jobs[:1])
    assert [entry["message"]["content"] for entry in found["entries"]] == ["Hello"]
    assert {**found, "user": "alice"} == gateway.ask("GET", f"/sessions/{mine}").json()


def test_a_session_shows_the_job_that_runs(start_gateway: Start) -> None:
    gateway = start_gateway()
    session = str(uuid4())
    (gateway.home / ".claude/projects").mkdir(parents=True)
    stream = gateway.chat(f"system {session}", "silent")
    stream.next()
    # It has no transcript yet.
    (row,) = listed(gateway)
    assert (row["session_id"], row["running_job"]) == (session, stream.job_id)
    write_transcript(gateway.home, gateway.project, session, prompt("Hello"))
    assert gateway.ask("DELETE", f"/chat/{stream.job_id}").status_code == 200
    (row,) = listed(gateway)
    assert (row["title"], row["running_job"]) == ("Hello", None)
    # When the job is removed, the session is no longer listed, but can be read.
    assert gateway.ask("DELETE", f"/jobs/{stream.job_id}").status_code == 200
    assert listed(gateway) == []
    found = gateway.ask("GET", f"/sessions/{session}").json()
    assert (found["title"], found["jobs"], len(found["entries"])) == ("Hello", [], 1)


def test_a_transcript_of_100_mb_is_read_page_by_page(start_gateway: Start) -> None:
    gateway = start_gateway()
    session = str(uuid4())
    path = write_transcript(gateway.home, "/", session, prompt("Hello"))
    huge = prompt("x" * 10_000_000)
    with path.open("a") as file:
        for number in range(10):
            file.write(huge)
            file.write(prompt(f"message {number}"))
        file.write(line("custom-title", customTitle="Large"))
    (row,) = listed(gateway)
    assert (row["title"], row["turns"], row["origin"]) == ("Large", None, "terminal")
    entries: list[dict[str, Any]] = []
    before = None
    while True:
        params = {"before": before, "limit": 7}
        answer = gateway.ask("GET", f"/sessions/{session}", params=params)
        assert len(answer.content) < 2 * LONGEST_LINE
        entries = [*answer.json()["entries"], *entries]
        before = answer.json()["next"]
        if before is None:
            break
    texts = [entry["message"]["content"] for entry in entries if entry["type"] == "user"]
    assert texts == ["Hello", *(f"message {number}" for number in range(10))]
    cut = [entry for entry in entries if entry["type"] == "cut"]
    assert len(cut) == 10
    assert {each["bytes"] for each in cut} <= {None, len(huge) - 1}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/sessions?limit=0", "limit"),
        ("/sessions?limit=501", "limit"),
        ("/sessions?origin=space", "origin"),
        ("/sessions?before=x", "before"),
        # [1,2] and ["0x1p0","\\ud800"]
        ("/sessions?before=WzEsMl0=", "before"),
        ("/sessions?before=WyIweDFwMCIsIlx1ZDgwMCJd", "before"),
        ("/sessions?before=%C3%BC", "before"),
        (f"/sessions/{NONE}?before=-1", "before"),
        (f"/sessions/{NONE}?before={'9' * 30}", "before"),
        (f"/sessions/{NONE}?notes=maybe", "notes"),
        (f"/sessions/{NONE}?limit=x", "limit"),
    ],
)
def test_a_wrong_parameter_is_named(gateway: Gateway, path: str, name: str) -> None:
    answer = gateway.ask("GET", path)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", name]


@pytest.mark.parametrize("session", ["x", "..%2f..", NONE, "a%00b"])
def test_a_session_that_does_not_exist_is_a_404(gateway: Gateway, session: str) -> None:
    answer = gateway.ask("GET", f"/sessions/{session}")
    assert answer.status_code == 404


@pytest.mark.real
def test_the_real_clis_sessions_are_listed_renamed_forked_and_read(real: Gateway) -> None:
    first = real.chat("The first prompt", keep_alive="1m").done()
    session = first["session_id"]
    again = real.chat("The second prompt", session_id=session, keep_alive="1m").done()
    fork = real.chat("The third prompt", session_id=session, fork_session=True).done()
    unsaved = real.chat("Not to be saved", session_persistence=False).done()
    rows = {row["session_id"]: row for row in listed(real)}
    assert set(rows) >= {session, fork["session_id"]}
    assert unsaved["session_id"] not in rows
    row = rows[session]
    assert (row["title"], row["turns"]) == ("The first prompt", 2)
    assert (row["origin"], row["cwd"]) == ("gateway", str(real.project))
    assert row["cost_usd"] == pytest.approx(first["total_cost_usd"] + again["total_cost_usd"])
    assert (rows[fork["session_id"]]["title"], rows[fork["session_id"]]["turns"]) == (
        "The first prompt",
        3,
    )
    # A new title is found.
    running = real.chat("wait: 6", session_id=session, keep_alive="1m")
    running.next()
    body = {"subtype": "rename_session", "title": "Renamed"}
    answer = real.ask("POST", f"/jobs/{running.job_id}/control", json=body)
    assert answer.status_code == 200, answer.text
    running.done()
    eventually(lambda: "Renamed" in {row["title"] for row in listed(real)})

    found = real.ask("GET", f"/sessions/{session}").json()
    assert found["jobs"] == [running.job_id, again["process_id"], first["process_id"]]
    assert {entry["type"] for entry in found["entries"]} <= {"user", "assistant", "system"}
    assert "The second prompt" in json.dumps(found["entries"])
    noted = real.ask("GET", f"/sessions/{session}?notes=true").json()
    assert {entry["type"] for entry in noted["entries"]} > {"user", "assistant"}
    details = real.ask("GET", f"/sessions/{unsaved['session_id']}").json()
    assert (details["entries"], details["jobs"]) == ([], [unsaved["process_id"]])
