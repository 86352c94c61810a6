"""`claudecode2api say`, `questions`, `answer` and `runs`."""

import json
import re
import signal
import time
from typing import Any
from uuid import uuid4

import pytest

from app.tool.logs import CAUGHT_UP
from tests.support.gateway import PATIENCE, Gateway, Stream, eventually
from tests.support.talk import lines_of, question_of, runs_of
from tests.support.tool import Tool

ASK = 'ask Bash {"command":"touch a\\u202e"}'
CHOICES = '{"question":"Which?","options":[{"label":"a"},{"label":"b"}]}'
CHOOSE = f'ask AskUserQuestion {{"questions":[{CHOICES}]}}'


def end_runs(gateway: Gateway) -> None:
    """End all runs, also those that other tests have left."""
    for run in runs_of(gateway):
        gateway.ask("DELETE", f"/runs/{run['run_id']}")


def answers_of(stream: Stream) -> list[dict[str, Any]]:
    """What the CLI was answered."""
    return [line["answer"]["response"] for line in lines_of(stream) if line["type"] == "answered"]


def question_id_of(gateway: Gateway, stream: Stream) -> str:
    """The id of the job's question, once it is open."""
    return str(question_of(gateway, stream.job_id)["question_id"])


def test_a_message_reaches_a_job_that_runs(gateway: Gateway, tool: Tool) -> None:
    flag = tool.folder / "flag"
    stream = gateway.chat("say one", f"await {flag}", "say three", ask=True)
    done = tool.run("say", stream.job_id[:8], "say", "two")
    assert done.returncode == 0, done
    assert re.fullmatch(rb"sent message [-0-9a-f]{36} to job [-0-9a-f]{36}\n", done.stdout)
    assert tool.run("say", stream.job_id, stdin=b"say f\xc3\xbcnf").returncode == 0
    flag.touch()
    text = json.dumps(lines_of(stream), ensure_ascii=False)
    assert '"two"' in text and '"fünf"' in text


@pytest.mark.parametrize("stdin", [b"", b" \n", b"\xff"])
def test_no_message_is_a_mistake_of_the_command_line(tool: Tool, stdin: bytes) -> None:
    done = tool.run("say", "1234", stdin=stdin)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"cannot ")


def test_a_job_that_has_ended_takes_no_message(gateway: Gateway, tool: Tool) -> None:
    stream = gateway.chat("say one", ask=True)
    stream.done()
    done = tool.run("say", stream.job_id, "hello")
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"The job has ended" in done.stderr


def test_a_plain_job_takes_no_message_but_one_with_keep_alive_does(
    gateway: Gateway, tool: Tool
) -> None:
    plain = gateway.chat("silent")
    assert b"takes no messages" in tool.run("say", plain.job_id, "hello").stderr
    flag = tool.folder / "flag"
    started = tool.run("run", "--detach", "--keep-alive", "1m", f"await {flag}")
    job_id = started.stdout.decode().strip()
    assert tool.run("say", job_id, "say hello").returncode == 0
    flag.touch()
    assert b"hello\n" in tool.run("logs", "--follow", job_id).stdout


def test_a_run_is_ended(gateway: Gateway, tool: Tool) -> None:
    assert b"cannot find run '7c89'" in tool.run("end", "7c89").stderr
    stream = gateway.chat("silent", keep_alive=60)
    eventually(gateway.running)
    done = tool.run("end", stream.job_id[:8].upper())
    assert done.returncode == 0, done
    assert done.stdout.decode() == f"ended run {stream.job_id}\n"
    assert stream.done()["status"] == "cancelled"
    kept = gateway.chat("line a", keep_alive=60).done()["run_id"]
    assert tool.run("end", kept).returncode == 0
    assert gateway.ask("GET", "/runs").json()["runs"] == []


@pytest.mark.parametrize("is_new", [True, False])
def test_logs_show_how_to_answer_what_the_job_asks(
    gateway: Gateway, tool: Tool, is_new: bool
) -> None:
    go_on = tool.folder / "flag"
    stream = gateway.chat("say begun", f"await {go_on}", ASK, "say well", ask=True)
    reader = tool.start("logs", "--follow", stream.job_id) if is_new else None
    if reader is not None:
        assert reader.stdout is not None
        assert reader.stdout.readline() == b"begun\n"
        # Then what it reads is no longer from before.
        time.sleep(CAUGHT_UP + 0.1)
    go_on.touch()
    question = question_id_of(gateway, stream)
    reader = reader or tool.start("logs", "--follow", stream.job_id)
    assert reader.stderr is not None
    expected = f"claudecode2api answer {stream.job_id[:8]} {question[:8]} allow (or deny)"
    assert expected in reader.stderr.readline().decode()
    assert tool.run("answer", stream.job_id[:8], question[:8], "allow").returncode == 0
    out, err = reader.communicate(timeout=PATIENCE)
    assert b"well" in out
    assert b"waits for an answer" not in err
    again = tool.run("logs", "--follow", stream.job_id)
    assert b"waits for an answer" not in again.stderr


def test_questions_are_listed(gateway: Gateway, tool: Tool) -> None:
    done = tool.run("questions")
    assert (done.stdout, done.stderr) == (b"", b"no question needs an answer\n")
    stream = gateway.chat(ASK, ask=True, ask_timeout=300)
    question = question_id_of(gateway, stream)
    head, row = tool.run("questions").stdout.decode().splitlines()
    assert head.split() == ["JOB", "QUESTION", "KIND", "EXPIRES", "TOOL"]
    cells = re.split("  +", row)
    assert cells[:3] == [stream.job_id[:8], question[:8], "tool"]
    assert cells[3] in ("in 4 min", "in 5 min")
    assert cells[4] == "Bash: touch a\ufffd"
    (listed,) = json.loads(tool.run("questions", "--json", stream.job_id[:8]).stdout)["questions"]
    assert listed["question_id"] == question


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["allow"], {"behavior": "allow", "updatedInput": {"command": "touch a\u202e"}}),
        (["deny"], {"behavior": "deny", "message": "The user denied this"}),
        (["deny", "--message", "Not now"], {"behavior": "deny", "message": "Not now"}),
    ],
)
def test_a_question_is_answered(
    gateway: Gateway, tool: Tool, options: list[str], expected: dict[str, Any]
) -> None:
    stream = gateway.chat(ASK, ask=True)
    question = question_id_of(gateway, stream)
    done = tool.run("answer", stream.job_id[:8], question[:6], *options)
    assert (done.returncode, done.stderr) == (0, b"")
    verb = "allowed" if expected["behavior"] == "allow" else "denied"
    assert done.stdout.decode() == f"{verb} question {question} of job {stream.job_id}\n"
    assert answers_of(stream) == [expected]


def test_an_answer_can_be_remembered(gateway: Gateway, tool: Tool) -> None:
    stream = gateway.chat(ASK, ask=True)
    question = question_id_of(gateway, stream)
    assert tool.run("answer", stream.job_id, question, "allow", "--remember").returncode == 0
    assert answers_of(stream)[0]["updatedPermissions"]


@pytest.mark.parametrize(("entered", "answer"), [("2", "b"), ("neither", "neither")])
def test_a_choice_is_a_number_or_words(
    gateway: Gateway, tool: Tool, entered: str, answer: str
) -> None:
    stream = gateway.chat(CHOOSE, ask=True)
    question = question_id_of(gateway, stream)
    done = tool.run("answer", stream.job_id, question, "allow", "--choose", entered)
    assert done.returncode == 0, done
    assert answers_of(stream)[0]["updatedInput"]["answers"] == {"Which?": answer}


@pytest.mark.parametrize(
    ("verb", "options", "status"),
    [
        (ASK, ["allow", "--message", "x"], 2),
        (ASK, ["deny", "--remember"], 2),
        (ASK, ["deny", "--choose", "1"], 2),
        (ASK, ["allow", "--choose", "1"], 2),
        (ASK, ["perhaps"], 2),
        (CHOOSE, ["allow"], 2),
        (CHOOSE, ["allow", "--choose", "1", "--choose", "2"], 2),
        (CHOOSE, ["allow", "--choose", "3"], 1),
    ],
)
def test_an_answer_that_does_not_fit_leaves_the_question_open(
    gateway: Gateway, tool: Tool, verb: str, options: list[str], status: int
) -> None:
    stream = gateway.chat(verb, ask=True)
    question = question_id_of(gateway, stream)
    done = tool.run("answer", stream.job_id, question, *options)
    assert (done.returncode, done.stdout) == (status, b"")
    assert question_id_of(gateway, stream) == question


@pytest.mark.parametrize("beginning", ["", "zzz"])
def test_a_question_that_is_not_there(gateway: Gateway, tool: Tool, beginning: str) -> None:
    stream = gateway.chat(ASK, ask=True)
    question_id_of(gateway, stream)
    done = tool.run("answer", stream.job_id, beginning, "allow")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(f"cannot find question {beginning!r} of job ".encode())


def test_runs_are_listed(gateway: Gateway, tool: Tool) -> None:
    end_runs(gateway)
    done = tool.run("runs")
    assert (done.stdout, done.stderr) == (b"", b"there are no runs\n")
    session = str(uuid4())
    gateway.chat("say a", keep_alive=60, model="opus", new_session_id=session).messages()
    eventually(lambda: [run["state"] for run in runs_of(gateway)] == ["idle"])
    (run,) = json.loads(tool.run("runs", "--json").stdout)["runs"]
    head, row = tool.run("runs").stdout.decode().splitlines()
    assert head.split() == [
        *("RUN", "STATE", "IDLE", "JOBS", "MEMORY", "MODEL", "USER", "SESSION", "FOLDER")
    ]
    cells = re.split("  +", row)
    assert cells[:2] == [run["run_id"][:8], "idle"]
    assert re.fullmatch("[0-9]+ s", cells[2]) and re.fullmatch("[0-9]+ MB", cells[4])
    assert cells[3] == "1" and cells[5:] == ["opus", "admin", session, str(gateway.project)]
    end_runs(gateway)


def test_ctrl_c_leaves_a_kept_run_for_the_next_job(gateway: Gateway, tool: Tool) -> None:
    end_runs(gateway)
    with tool.start("run", "--keep-alive", "1m", "say a\nsilent") as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"a\n"
        run.send_signal(signal.SIGINT)
        assert run.wait(PATIENCE) == 130
    eventually(lambda: [run["state"] for run in runs_of(gateway)] == ["idle"])
    end_runs(gateway)


@pytest.mark.parametrize("command", [["say", "x"], ["questions"], ["answer", "q", "allow"]])
def test_a_job_that_is_not_there(tool: Tool, command: list[str]) -> None:
    name, *more = command
    done = tool.run(name, "00000000-0000-4000-8000-000000000000", *more)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"Process not found" in done.stderr
