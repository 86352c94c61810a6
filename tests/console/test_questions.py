"""The console's questions: cards that are answered in the job's page, and in one of their own."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.console.conftest import NewPage
from tests.console.test_job import show, start
from tests.support.console import PHONE, sign_in
from tests.support.gateway import PASSWORD, Gateway
from tests.support.talk import answered, question_of
from tests.support.two_users import ALICE, BOB, KEYS, by

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

CHOICES = {
    "questions": [
        {
            "question": "Which color?",
            "header": "Color",
            "options": [{"label": "Red", "description": "warm"}, {"label": "Blue"}],
        },
        {
            "question": "Which sizes?",
            "multiSelect": True,
            "options": [{"label": "Small"}, {"label": "Large"}],
        },
    ]
}


def asks(tool: str, given: dict[str, Any]) -> tuple[str, str]:
    """The verbs that ask for a tool, and end the turn."""
    return f"ask {tool} {json.dumps(given)}", "line over"


def answer_of(gateway: Gateway, job: str) -> dict[str, Any]:
    """The answer that the CLI got, once its job has ended."""
    gateway.ask("GET", f"/jobs/{job}", params={"wait": 20})
    lines = gateway.ask("GET", f"/chat/{job}", headers={"Accept": "application/x-ndjson"})
    found = [json.loads(each) for each in lines.text.splitlines() if '"answered"' in each]
    answer: dict[str, Any] = found[0]["answer"]["response"]
    return answer


def card(page: Page) -> Locator:
    """The card of the only open question."""
    return page.get_by_role("article")


def test_a_command_is_shown_whole_and_allowed_once(page: Page, gateway: Gateway) -> None:
    lines = "\n".join(f"echo {number}" for number in range(10_000))
    command = f"make \u202e#ylno daer\u202c\n{lines}\nrm -rf /"
    job = start(gateway, *asks("Bash", {"command": command}), ask=True)
    conversation = show(page, gateway, job)
    expect(card(page)).to_contain_text("May Claude use Bash?")
    expect(card(page)).to_contain_text(str(gateway.project))
    expect(card(page)).to_contain_text("left")
    shown = card(page).get_by_role("group", name="Command")
    expect(shown).to_contain_text("make \u2039U+202E\u203a#ylno daer\u2039U+202C\u203a")
    expect(shown).to_contain_text("rm -rf /")
    expect(card(page)).to_contain_text("10.0k lines")
    card(page).get_by_role("button", name="Allow once").press("Enter")
    expect(card(page)).to_have_count(0)
    expect(conversation.get_by_text("The job succeeded")).to_be_visible()
    expect(conversation.locator(".asked")).to_contain_text("allowed by admin")
    assert answer_of(gateway, job)["behavior"] == "allow"


def test_what_is_allowed_until_the_run_ends_is_named(page: Page, gateway: Gateway) -> None:
    job = start(gateway, *asks("Bash", {"command": "make"}), ask=True)
    show(page, gateway, job)
    expect(card(page)).to_contain_text("it may then also: use Bash for touch a; work in /tmp")
    card(page).get_by_role("button", name="Allow until this run ends").click()
    expect(card(page)).to_have_count(0)
    rules = answer_of(gateway, job)["updatedPermissions"]
    assert {each["destination"] for each in rules} == {"session"}


def test_a_change_is_shown_as_a_diff_and_denied_with_words(page: Page, gateway: Gateway) -> None:
    edit = {"file_path": "/srv/a.py", "old_string": "one\ntwo", "new_string": "one\nthree"}
    job = start(gateway, *asks("Edit", edit), ask=True)
    conversation = show(page, gateway, job)
    changes = card(page).get_by_role("group", name="Changes")
    expect(changes.locator(".removed")).to_contain_text("two")
    expect(changes.locator(".added")).to_contain_text("three")
    card(page).get_by_role("button", name="Deny and say why").click()
    page.get_by_label("Why not?").fill("Use four")
    card(page).get_by_role("button", name="Deny", exact=True).click()
    expect(conversation.get_by_text("denied by admin: Use four")).to_be_visible()
    assert answer_of(gateway, job) == {"behavior": "deny", "message": "Use four"}


def test_choices_are_made_or_written(page: Page, gateway: Gateway) -> None:
    job = start(gateway, *asks("AskUserQuestion", CHOICES), ask=True)
    show(page, gateway, job)
    send = card(page).get_by_role("button", name="Answer", exact=True)
    expect(send).to_be_disabled()
    card(page).get_by_label("Red warm").check()
    card(page).get_by_label("Other").first.fill("Green")
    expect(card(page).get_by_label("Red warm")).not_to_be_checked()
    for size in ("Small", "Large"):
        card(page).get_by_label(size).check()
    send.click()
    expect(card(page)).to_have_count(0)
    answers = answer_of(gateway, job)["updatedInput"]["answers"]
    assert answers == {"Which color?": "Green", "Which sizes?": "Small, Large"}


def test_a_plan_is_approved_or_planned_further(page: Page, gateway: Gateway) -> None:
    plan = asks("ExitPlanMode", {"plan": "# First\n\nthen **second**"})
    job = start(gateway, *plan, ask=True)
    show(page, gateway, job)
    expect(card(page).get_by_role("heading", name="First")).to_be_visible()
    card(page).get_by_role("button", name="Keep planning").click()
    page.get_by_label("What should be different?").fill("Shorter")
    card(page).get_by_role("button", name="Keep planning").click()
    expect(card(page)).to_have_count(0)
    assert answer_of(gateway, job) == {"behavior": "deny", "message": "Shorter"}
    job = start(gateway, *plan, ask=True)
    page.goto(f"{gateway.url}/#/jobs/{job}")
    card(page).get_by_role("button", name="Approve").click()
    assert answer_of(gateway, job)["behavior"] == "allow"


def test_the_second_to_answer_reads_who_was_faster(page: Page, gateway: Gateway) -> None:
    job = start(gateway, *asks("Bash", {"command": "make"}), ask=True)
    question = question_of(gateway, job)
    # Nothing takes the card away before it is answered.
    page.route("**/events*", lambda route: route.abort())
    sign_in(page, gateway.url, "admin", PASSWORD, "#/questions")
    button = card(page).get_by_role("button", name="Allow once")
    expect(button).to_be_visible()
    assert answered(gateway, question, "deny").status_code == 200
    button.click()
    expect(card(page).get_by_role("alert")).to_contain_text("admin")
    assert answer_of(gateway, job)["behavior"] == "deny"


@pytest.mark.parametrize("size", [None, PHONE], ids=["wide", "phone"])
def test_the_questions_of_all_jobs_have_a_page(
    new_page: NewPage, gateway_with: Callable[..., Gateway], size: Any
) -> None:
    gateway = gateway_with(API_KEYS=KEYS)
    prompt = "\n".join(asks("Bash", {"command": "make " + "long-word-" * 200}))
    body = {"prompt": prompt, "cwd": str(gateway.project), "ask": True, "title": "Of Alice"}
    signed = by(ALICE)
    signed["headers"]["Prefer"] = "respond-async"
    job = gateway.ask("POST", "/chat", json=body, **signed).json()["process_id"]
    question_of(gateway, job)
    page, others = (new_page(size), new_page(size)) if size else (new_page(), new_page())
    sign_in(page, gateway.url, "", ALICE, "#/questions")
    expect(card(page)).to_contain_text("Of Alice")
    expect(page.get_by_role("link", name=re.compile("Questions ?1"))).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    sign_in(others, gateway.url, "", BOB, "#/questions")
    expect(others.get_by_text("No job has a question.")).to_be_visible()
    card(page).get_by_role("button", name="Allow once").click()
    expect(page.get_by_text("No job has a question.")).to_be_visible()
    assert answer_of(gateway, job)["behavior"] == "allow"
