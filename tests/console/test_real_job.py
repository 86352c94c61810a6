"""The console's page of a job with the real CLI, against the stand-in for the model."""

import json

import pytest
from playwright.sync_api import Page, expect

from tests.console.test_job import show, start
from tests.support.console import sign_in
from tests.support.gateway import PASSWORD, Gateway
from tests.support.talk import await_turns, states_of

pytestmark = [pytest.mark.real, pytest.mark.browser, pytest.mark.timeout(120)]


def test_words_arrive_as_the_model_writes_them_also_after_a_reload(
    page: Page, real: Gateway
) -> None:
    # Signed in before: the answer is read while it is written, which takes 10 seconds.
    sign_in(page, real.url, "admin", PASSWORD)
    job = start(real, "think: slow: 40 0.25", include_partial_messages=True)
    page.goto(f"{real.url}/#/jobs/{job}")
    conversation = page.get_by_role("region", name="Conversation")
    expect(conversation.get_by_text("word-0 word-1 word-2 word-3").last).to_be_visible()
    expect(conversation.get_by_text("word-39")).to_have_count(0)
    page.reload()
    expect(conversation.get_by_text("word-0 word-1 word-2 word-3").last).to_be_visible()
    expect(conversation.get_by_text("The job succeeded")).to_be_visible()
    words = " ".join(f"word-{number}" for number in range(40))
    expect(conversation.get_by_text(words, exact=True)).to_have_count(1)
    expect(conversation.locator(".thinking")).to_have_text("Well.")


def test_a_permission_is_given_and_another_one_denied_with_words(page: Page, real: Gateway) -> None:
    await_turns(real)
    job = start(real, "bash: touch given.txt", ask=True)
    conversation = show(page, real, job)
    page.get_by_role("button", name="Allow once").click()
    expect(conversation.get_by_text("The job succeeded")).to_be_visible()
    assert (real.project / "given.txt").exists()
    job = start(real, "bash: touch denied.txt", ask=True)
    page.goto(f"{real.url}/#/jobs/{job}")
    page.get_by_role("button", name="Deny and say why").click()
    page.get_by_label("Why not?").fill("Never touch that")
    page.get_by_role("button", name="Deny", exact=True).click()
    expect(conversation.get_by_text("denied by admin: Never touch that")).to_be_visible()
    expect(conversation.get_by_text('The tool said: "Never touch that"').last).to_be_visible()
    assert not (real.project / "denied.txt").exists()


def test_a_job_hears_a_message_and_obeys_an_interrupt(page: Page, real: Gateway) -> None:
    await_turns(real)
    job = start(real, "slow: 600 0.1", ask=True, include_partial_messages=True)
    conversation = show(page, real, job)
    expect(conversation.get_by_text("word-3").last).to_be_visible()
    box = page.get_by_role("textbox", name="Message to the job")
    box.fill("Also this")
    box.press("Enter")
    expect(page.get_by_role("listitem").filter(has_text="Also this")).to_contain_text("sent")
    page.get_by_role("button", name="Interrupt").click()
    expect(conversation.get_by_text("The job was cancelled")).to_be_visible()
    expect(conversation.get_by_text("Interrupted", exact=True)).to_be_visible()
    assert states_of(real, job) in (["cancelled"], ["discarded"])


def test_an_agent_its_calls_and_the_tasks_are_shown(page: Page, real: Gateway) -> None:
    agent = {"description": "Look around", "prompt": "bash: echo found", "run_in_background": False}
    calls = [
        ["TaskCreate", {"subject": "Look first", "description": "Look"}],
        ["TaskUpdate", {"taskId": "1", "status": "completed"}],
        ["Agent", {**agent, "subagent_type": "general-purpose"}],
    ]
    tools = ["TaskCreate", "TaskUpdate", "Agent", "Task", "Bash"]
    mode = "bypassPermissions"
    job = start(real, f"calls: {json.dumps(calls)}", tools=tools, permission_mode=mode)
    conversation = show(page, real, job)
    expect(conversation.get_by_text("The job succeeded")).to_be_visible()
    tasks = page.get_by_role("complementary", name="To do")
    expect(tasks).to_contain_text("1 of 1 done")
    expect(tasks).to_contain_text("Look first")
    inner = conversation.locator(".item-depth-1").filter(has_text="echo found").last
    expect(inner).to_be_visible()
