"""`claudecode2api run --ask`: what a job asks is answered at the terminal."""

import json
import select
import signal
import subprocess
from contextlib import AbstractContextManager
from typing import Any

import pytest

from app.tool import terminal as tool_terminal
from tests.support.gateway import PATIENCE, Gateway
from tests.support.talk import answered, question_of
from tests.support.terminal import Terminal
from tests.support.tool import Tool

TOUCH = 'ask Bash {"command":"touch a","description":"Do it"}'
COLOURS = json.dumps(
    {
        "questions": [
            {
                "question": "Which colour?",
                "header": "Colour",
                "options": [{"label": "blue", "description": "as the sky"}, {"label": "red"}],
            },
            {
                "question": "Which sizes?",
                "options": [{"label": "S"}, {"label": "M"}, {"label": "L"}],
                "multiSelect": True,
            },
        ]
    }
)


@pytest.fixture
def asking(tool: Tool, terminal: Terminal) -> "Asking":
    """Starts the command at the terminal."""
    return Asking(tool, terminal)


class Asking:
    """Starts `claudecode2api run --ask`, and reads what the CLI was answered."""

    def __init__(self, tool: Tool, terminal: Terminal) -> None:
        self._tool = tool
        self.terminal = terminal

    def start(
        self, *verbs: str, options: tuple[str, ...] = (), **named: Any
    ) -> "AbstractContextManager[subprocess.Popen[bytes]]":
        """The command, with a prompt for the fake CLI."""
        command = [self._tool.program, "run", "--ask", *options, "\n".join(verbs)]
        environment = self._tool.environment(NO_COLOR="1")
        return self.terminal.running(command, cwd=self._tool.project, env=environment, **named)

    def answers(self) -> list[dict[str, Any]]:
        """What the CLI was answered, once the job has ended."""
        job_id = self.terminal.read_until(" job ") and self.terminal.read_until("\n").strip()
        output = self._tool.run("logs", "--raw", job_id).stdout
        lines = map(json.loads, output.splitlines())
        return [line["answer"]["response"] for line in lines if line["type"] == "answered"]


def answer_elsewhere(gateway: Gateway) -> None:
    """Deny what is asked, as another client."""
    (job,) = gateway.running()
    question = question_of(gateway, job["process_id"])
    assert answered(gateway, question, "deny", message="No").status_code == 200


def test_a_tool_is_allowed_once(asking: Asking) -> None:
    with asking.start(TOUCH) as run:
        assert asking.terminal.read_until("[y/a/n] ") == (
            "\nClaude asks to use Bash\ncommand: touch a\ndescription: Do it\n"
            "  y  allow this once\n"
            "  a  allow until the run ends: Bash(touch a), files in /tmp\n"
            "  n  deny this\n"
            "[y/a/n] "
        )
        asking.terminal.type("y\n")
        (given,) = asking.answers()
        assert run.wait(PATIENCE) == 0
    assert given["behavior"] == "allow"
    assert given["updatedInput"]["command"] == "touch a"
    assert "updatedPermissions" not in given


def test_a_tool_is_allowed_until_the_run_ends(asking: Asking) -> None:
    with asking.start(TOUCH):
        asking.terminal.read_until("[y/a/n] ")
        asking.terminal.type("A\n")
        (given,) = asking.answers()
    assert {rule["destination"] for rule in given["updatedPermissions"]} == {"session"}


@pytest.mark.parametrize(
    ("entered", "message"),
    [
        ("Use git mv\n", "Use git mv"),
        ("\n", "The user denied this"),
        ("\x04", "The user denied this"),
    ],
)
def test_a_tool_is_denied_with_a_reason(asking: Asking, entered: str, message: str) -> None:
    with asking.start(TOUCH, TOUCH):
        for _ in range(2):
            asking.terminal.read_until("[y/a/n] ")
            asking.terminal.type("what\n")
            asking.terminal.read_until("[y/a/n] ")
            asking.terminal.type("n\n")
            asking.terminal.read_until("(Enter: no reason) ")
            asking.terminal.type(entered)
        given = asking.answers()
    assert given == [{"behavior": "deny", "message": message}] * 2


def test_the_end_of_the_input_denies(asking: Asking) -> None:
    with asking.start(TOUCH):
        asking.terminal.read_until("[y/a/n] ")
        asking.terminal.type("\x04")
        asking.terminal.read_until("(Enter: no reason) ")
        asking.terminal.type("\x04")
        assert [each["behavior"] for each in asking.answers()] == ["deny"]


def test_questions_to_the_user_are_answered_by_number_or_in_words(asking: Asking) -> None:
    with asking.start(f"ask AskUserQuestion {COLOURS}"):
        assert asking.terminal.read_until("(Enter: decline) ") == (
            "\nClaude asks: Which colour?\n  1  blue: as the sky\n  2  red\n"
            "A number, or another answer (Enter: decline) "
        )
        asking.terminal.type("3\n")
        assert "there are 2 choices\n" in asking.terminal.read_until("(Enter: decline) ")
        asking.terminal.type("dark green\n")
        assert "or several like 1,2, or" in asking.terminal.read_until("(Enter: decline) ")
        asking.terminal.type("3, 1\n")
        (given,) = asking.answers()
    answers = given["updatedInput"]["answers"]
    assert answers == {"Which colour?": "dark green", "Which sizes?": "L, S"}


def test_questions_to_the_user_can_be_declined(asking: Asking) -> None:
    with asking.start(f"ask AskUserQuestion {COLOURS}"):
        asking.terminal.read_until("(Enter: decline) ")
        asking.terminal.type("\n")
        given = asking.answers()
    assert given == [{"behavior": "deny", "message": "The user has declined to answer"}]


def test_a_plan_is_approved_or_rejected(asking: Asking) -> None:
    plan = 'ask ExitPlanMode {"plan":"# Plan\\n1. Write"}'
    with asking.start(plan, plan):
        shown = asking.terminal.read_until("[y/a/n] ")
        assert shown.startswith("\nClaude asks to carry out this plan:\n  # Plan\n  1. Write\n")
        asking.terminal.type("n\n")
        asking.terminal.read_until("(Enter: no reason) ")
        asking.terminal.type("Smaller steps\n")
        asking.terminal.read_until("[y/a/n] ")
        asking.terminal.type("y\n")
        given = asking.answers()
    assert given[0] == {"behavior": "deny", "message": "Smaller steps"}
    assert given[1]["behavior"] == "allow"


def test_what_is_approved_can_be_seen_whole_and_plain(asking: Asking) -> None:
    command = "echo \\u202e\\u200b\\u001b[2J" + "\\nline" * 40 + "\\nrm x"
    with asking.start(f'ask Bash {{"command":"{command}"}}'):
        shown = asking.terminal.read_until("[y/a/n/v] ")
        assert "command:\n  echo \\u202e\\u200b\\u001b[2J\n  line\n" in shown
        assert "  … 12 more lines\n" in shown and "rm x" not in shown
        asking.terminal.type("v\n")
        assert "  line\n  rm x\n" in asking.terminal.read_until("[y/a/n/v] ")
        asking.terminal.type("n\n\n")
        asking.answers()


def test_what_was_typed_before_is_no_answer(asking: Asking, tool: Tool) -> None:
    flag = tool.folder / "flag"
    with asking.start("say ready", f"await {flag}", TOUCH):
        asking.terminal.read_until("ready\n")
        asking.terminal.type("y\n")
        asking.terminal.read_until("y\n")
        flag.touch()
        asking.terminal.read_until("[y/a/n] ")
        asking.terminal.type("n\n\n")
        assert [each["behavior"] for each in asking.answers()] == ["deny"]


def test_the_answer_is_shown_beside_its_questions(asking: Asking) -> None:
    pieces = (
        'line {"type":"stream_event","event":{"type":"content_block_delta","delta":'
        '{"type":"text_delta","text":"Hel"}}}'
    )
    with asking.start(pieces, TOUCH, "say end"):
        assert asking.terminal.read_until("Bash").startswith("Hel\n\nClaude asks")
        asking.terminal.read_until("[y/a/n] ")
        asking.terminal.type("y\n")
        assert asking.terminal.read_until("end\n").endswith("\nend\n")


def test_another_client_may_answer_first(asking: Asking, gateway: Gateway) -> None:
    with asking.start(TOUCH) as run:
        asking.terminal.read_until("[y/a/n] ")
        answer_elsewhere(gateway)
        assert asking.terminal.read_until("any more\n") == (
            "\nthe question was answered elsewhere, or needs no answer any more\n"
        )
        assert asking.answers() == [{"behavior": "deny", "message": "No"}]
        assert run.wait(PATIENCE) == 0


def test_an_answer_that_comes_too_late_is_noted(asking: Asking, gateway: Gateway) -> None:
    with asking.start(TOUCH) as run:
        asking.terminal.read_until("[y/a/n] ")
        run.send_signal(signal.SIGSTOP)
        answer_elsewhere(gateway)
        asking.terminal.type("y\n")
        run.send_signal(signal.SIGCONT)
        assert "The question was answered at " in asking.terminal.read_until(" by admin: deny")
        assert asking.answers() == [{"behavior": "deny", "message": "No"}]


def test_a_question_of_a_job_that_is_cancelled_is_withdrawn(
    asking: Asking, gateway: Gateway
) -> None:
    with asking.start(TOUCH) as run:
        asking.terminal.read_until("[y/a/n] ")
        (job,) = gateway.running()
        gateway.ask("DELETE", f"/chat/{job['process_id']}")
        asking.terminal.read_until("needs no answer any more\n")
        assert run.wait(PATIENCE) == 130


def test_ctrl_c_at_a_question_interrupts_the_job(asking: Asking, gateway: Gateway) -> None:
    with asking.start(TOUCH) as run:
        asking.terminal.read_until("[y/a/n] ")
        asking.terminal.type("\x03")
        asking.terminal.read_until("interrupting the job")
        asking.terminal.read_until("needs no answer any more\n")
        asking.terminal.read_until("cancelled, ")
        assert run.wait(PATIENCE) == 130
    assert gateway.running() == []


def test_the_output_may_go_elsewhere(asking: Asking) -> None:
    with asking.start(TOUCH, "say end", stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        asking.terminal.read_until("[y/a/n] ")
        asking.terminal.type("y\n")
        output, notes = run.communicate(timeout=PATIENCE)
    assert (run.returncode, output) == (0, b"end\n")
    assert notes.startswith(b"succeeded, ")
    assert "end" not in asking.terminal.text


def test_json_and_questions_go_together(asking: Asking) -> None:
    with asking.start(TOUCH, options=("--json",), stdout=subprocess.PIPE) as run:
        asking.terminal.read_until("[y/a/n] ")
        asking.terminal.type("y\n")
        assert json.loads(run.communicate(timeout=PATIENCE)[0])["status"] == "succeeded"


def test_without_a_terminal_nothing_starts(gateway: Gateway, tool: Tool) -> None:
    before = {*(gateway.state / "jobs").iterdir()}
    with tool.start("run", "--ask", TOUCH, start_new_session=True) as run:
        output, notes = run.communicate(timeout=PATIENCE)
    assert (run.returncode, output) == (2, b"")
    assert notes.startswith(b"cannot ask without a terminal: with --detach, ")
    assert {*(gateway.state / "jobs").iterdir()} == before


def test_a_gateway_that_is_reloaded_does_not_end_the_dialog(
    asking: Asking, gateway: Gateway
) -> None:
    with asking.start(TOUCH, "say end"):
        asking.terminal.read_until("[y/a/n] ")
        gateway.reload()
        asking.terminal.type("y\n")
        asking.terminal.read_until("end\n")
        assert [each["behavior"] for each in asking.answers()] == ["allow"]


def test_who_has_entered_something_learns_what_the_gateway_says_to_it(terminal: Terminal) -> None:
    users = object.__new__(tool_terminal.Terminal)
    users._fd = terminal.slave

    def is_open() -> bool:
        terminal.type("y\n")
        assert select.select([terminal.slave], [], [], PATIENCE)[0]
        return False

    assert users.read_line("? ", is_open) == "y"
    with pytest.raises(tool_terminal.Withdrawn):
        users.read_line("? ", lambda: False)
