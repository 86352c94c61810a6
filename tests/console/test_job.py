"""The console's page of a job: its conversation, what can be done with it, and its raw lines."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.console.conftest import NewPage
from tests.support.console import PHONE, press, sign_in
from tests.support.gateway import PASSWORD, Gateway, eventually, running_gateway
from tests.support.talk import send_message, states_of

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

#: What a job can write to run something in the page, to load something, or to mislead.
HTML = "<img src=x onerror=alert(1)><script>alert(2)</script><svg onload=alert(3)>"
LINKS = "[one](javascript:alert(4)) [two](data:text/html,x) ![three](https://example.com/3.png)"
HIDDEN = "\u202edlrow\u202c zero\u200bwidth \u001b[31mred\u001b[0m"

# Where an element is scrolled to, once nothing moves it: the wheel scrolls in many small steps.
_RESTING_TOP = """async element => {
    let [top, frames] = [element.scrollTop, 0];
    while (frames < 20) {
        await new Promise(requestAnimationFrame);
        frames = element.scrollTop === top ? frames + 1 : 0;
        top = element.scrollTop;
    }
    return top;
}"""
_TARGETS = "links => links.map(each => each.getAttribute('href') ?? '')"

#: What is shown in the place of what hides or reorders text.
SHOWN = "\u2039U+202E\u203adlrow\u2039U+202C\u203a zero\u2039U+200B\u203awidth red"


def start(gateway: Gateway, *verbs: str, **fields: Any) -> str:
    """Start a detached job; returns its id."""
    body = {"prompt": "\n".join(verbs), "cwd": str(gateway.project), **fields}
    answer = gateway.ask("POST", "/chat", json=body, headers={"Prefer": "respond-async"})
    assert answer.status_code == 202, answer.text
    identity: str = answer.json()["process_id"]
    return identity


def said(text: str) -> str:
    """The verb that prints a message of the model."""
    return assistant_line({"type": "text", "text": text})


def assistant_line(block: dict[str, Any]) -> str:
    """The verb that prints a message of the model with this block."""
    return "line " + json.dumps({"type": "assistant", "message": {"content": [block]}})


def called(name: str, given: dict[str, Any], identity: str = "toolu_1") -> str:
    """The verb that prints a tool call."""
    return assistant_line({"type": "tool_use", "id": identity, "name": name, "input": given})


def returned(content: str, identity: str = "toolu_1", **fields: Any) -> str:
    """The verb that prints what a tool call gave back."""
    block = {"type": "tool_result", "tool_use_id": identity, "content": content, **fields}
    return "line " + json.dumps({"type": "user", "message": {"content": [block]}})


def show(page: Page, gateway: Gateway, job: str, query: str = "") -> Locator:
    """Sign in at the page of a job; returns its conversation."""
    sign_in(page, gateway.url, "admin", PASSWORD, f"#/jobs/{job}{query}")
    return page.get_by_role("region", name="Conversation")


def test_a_job_is_shown_from_its_prompt_to_its_end(page: Page, gateway: Gateway) -> None:
    edit = {"file_path": f"{gateway.project}/a.py", "old_string": "a\nb", "new_string": "a\nc"}
    todos = {"todos": [{"content": "Write it", "status": "in_progress"}]}
    job = start(
        gateway,
        said("# A heading\\n\\nand **bold** words"),
        called("TodoWrite", todos, "toolu_0"),
        called("Bash", {"command": "ls -la"}),
        returned("total 0"),
        called("Edit", edit, "toolu_2"),
        returned("no such file", "toolu_2", is_error=True),
        "line no JSON",
        "complain it went wrong",
        "result error",
        "exit 3",
        title="A story",
    )
    conversation = show(page, gateway, job)
    expect(page.get_by_role("heading", name="A story")).to_be_visible()
    expect(conversation.get_by_text("The job failed")).to_be_visible()
    expect(conversation.get_by_text("exit status 3")).to_be_visible()
    conversation.get_by_text("Standard error").click()
    expect(conversation.get_by_text("it went wrong").last).to_be_visible()
    expect(conversation.get_by_text("line {").first).to_be_visible()
    expect(conversation.get_by_text("bold", exact=True)).to_be_visible()
    expect(conversation.get_by_text("no JSON", exact=True)).to_be_visible()
    expect(page.get_by_role("complementary", name="To do")).to_contain_text("Write it")
    call = conversation.get_by_role("button", name="Bash ls -la")
    expect(call).to_have_attribute("aria-expanded", "false")
    call.click()
    expect(conversation.get_by_text("total 0", exact=True)).to_be_visible()
    # What has failed is open.
    changes = conversation.get_by_role("group", name="Changes")
    expect(changes.locator(".removed")).to_contain_text("b")
    expect(changes.locator(".added")).to_contain_text("c")
    expect(conversation.get_by_text("no such file", exact=True)).to_be_visible()


def test_a_running_job_is_interrupted_and_another_one_cancelled(
    page: Page, gateway: Gateway
) -> None:
    job = start(gateway, said("Here I am"), "polite", "silent", title="One")
    conversation = show(page, gateway, job)
    expect(conversation.get_by_text("Here I am").last).to_be_visible()
    expect(page.get_by_text("This job takes no messages")).to_be_visible()
    page.get_by_role("button", name="Interrupt").click()
    expect(conversation.get_by_text("The job was cancelled")).to_be_visible()
    expect(page.get_by_role("button", name="Interrupt")).to_have_count(0)
    job = start(gateway, said("Here I am, too"), "silent", title="Two")
    page.goto(f"{gateway.url}/#/jobs/{job}")
    expect(conversation.get_by_text("Here I am, too").last).to_be_visible()
    page.get_by_role("button", name="Cancel", exact=True).click()
    dialog = page.get_by_role("dialog", name="Cancel this job?")
    dialog.get_by_role("button", name="Keep").click()
    assert gateway.ask("GET", f"/jobs/{job}").json()["status"] == "running"
    page.get_by_role("button", name="Cancel", exact=True).click()
    dialog.get_by_role("button", name="Cancel the job").click()
    expect(conversation.get_by_text("The job was cancelled")).to_be_visible()
    assert gateway.ask("GET", f"/jobs/{job}").json()["status"] == "cancelled"


def test_the_state_of_a_message_is_shown_until_the_model_has_it(
    page: Page, gateway: Gateway
) -> None:
    flag = gateway.folder / "go-on"
    job = start(gateway, said("At work"), f"await {flag}", ask=True)
    conversation = show(page, gateway, job)
    expect(conversation.get_by_text("At work").last).to_be_visible()
    box = page.get_by_role("textbox", name="Message to the job")
    box.fill("Use two spaces")
    box.press("Enter")
    sent = page.get_by_role("listitem").filter(has_text="Use two spaces")
    expect(sent).to_contain_text("sent")
    expect(box).to_have_value("")
    flag.touch()
    message = conversation.locator(".said").filter(has_text="Use two spaces")
    expect(message).to_contain_text("admin · answered")
    expect(conversation.get_by_text("The job succeeded")).to_be_visible()
    assert states_of(gateway, job) == ["completed"]
    assert send_message(gateway, job, "late").status_code == 409


def test_a_session_goes_on_in_the_form_with_its_folder(page: Page, gateway: Gateway) -> None:
    job = start(gateway, "system 8d56a8f1-3c9f-44e9-a11c-1a2b3c4d5e6f", "line x", "exit 3")
    conversation = show(page, gateway, job)
    expect(conversation.get_by_text("The job failed")).to_be_visible()
    for name, mark in (("Continue", ""), ("Fork", "&fork=1")):
        href = page.get_by_role("main").get_by_role("link", name=name).get_attribute("href") or ""
        assert href.startswith("#/new?session=8d56a8f1-3c9f-44e9-a11c-1a2b3c4d5e6f&cwd=%2F")
        assert href.endswith("project" + mark)


def test_the_request_is_copied_as_a_command(page: Page, gateway: Gateway) -> None:
    job = start(gateway, "line it's", max_turns=3)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=gateway.url)
    show(page, gateway, job)
    page.get_by_role("button", name="Copy as curl").click()
    expect(page.get_by_text("The curl command is copied.")).to_be_visible()
    command = page.evaluate("navigator.clipboard.readText()")
    assert f"'{gateway.url}/chat'" in command
    assert "it'\\''s" in command
    assert '"max_turns":3' in command


def test_a_link_opens_at_its_line_and_the_search_finds_the_others(
    page: Page, gateway: Gateway
) -> None:
    job = start(gateway, "lines 3000", said("A needle"), "lines 3000", "result ok")
    conversation = show(page, gateway, job, "?line=3001")
    expect(conversation.locator(".item-marked")).to_contain_text("A needle")
    expect(page.get_by_role("button", name="Go to the end")).to_be_visible()
    press(page, "/")
    expect(page.get_by_role("searchbox", name="Search in this job")).to_be_focused()
    page.keyboard.type("LINE 2999")
    expect(page.get_by_role("search")).to_contain_text("2 found")
    page.keyboard.press("Enter")
    expect(page.get_by_role("search")).to_contain_text("1 of 2")
    expect(conversation.locator(".item-marked")).to_contain_text("line 2999")
    page.keyboard.press("Shift+Enter")
    expect(page.get_by_role("search")).to_contain_text("2 of 2")
    page.keyboard.press("Escape")
    expect(page.get_by_role("search")).to_have_count(0)
    page.get_by_role("button", name="Go to the end").click()
    expect(conversation.get_by_text("The job succeeded")).to_be_visible()


def test_the_page_follows_until_the_reader_scrolls_up(page: Page, gateway: Gateway) -> None:
    flags = [gateway.folder / f"go-on-{number}" for number in range(2)]
    job = start(
        gateway,
        *("lines 500", f"await {flags[0]}", said("After the first"), "lines 600"),
        *(f"await {flags[1]}", "lines 500", said("After the second"), "result ok"),
    )
    conversation = show(page, gateway, job)
    expect(conversation.get_by_text("line 499")).to_be_in_viewport()
    flags[0].touch()
    expect(conversation.get_by_text("line 599")).to_be_in_viewport()
    expect(conversation.get_by_text("Running")).to_be_in_viewport()
    expect(page.get_by_role("button", name="Follow")).to_have_count(0)
    conversation.hover()
    page.mouse.wheel(0, -3000)
    expect(page.get_by_role("button", name="Follow")).to_be_visible()
    top = conversation.evaluate(_RESTING_TOP)
    flags[1].touch()
    expect(page.locator(".job-head .badge")).to_have_text("succeeded")
    assert conversation.evaluate("each => each.scrollTop") == pytest.approx(top, abs=200)
    page.get_by_role("button", name="Go to the end").click()
    expect(conversation.get_by_text("After the second").last).to_be_in_viewport()


def test_a_hundred_thousand_lines_are_quick_and_few_are_in_the_page(
    page: Page, gateway: Gateway
) -> None:
    line = said("Words of **one** line").removeprefix("line ")
    job = start(gateway, "line the first", f"repeat 100000 {line}", "result ok", title="Long")
    gateway.ask("GET", f"/jobs/{job}", params={"wait": 60}, timeout=80)
    conversation = show(page, gateway, job)
    expect(conversation.get_by_text("The job succeeded")).to_be_visible()
    assert page.locator("*").count() < 1500
    conversation.evaluate("each => { each.scrollTop = 0 }")
    expect(conversation.get_by_text("the first", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Go to the end")).to_be_visible()
    page.get_by_role("tab", name="Raw lines").click()
    expect(page.get_by_text("100,002 lines")).to_be_visible()
    assert page.locator("*").count() < 1500


def test_the_raw_lines_are_saved_as_the_cli_wrote_them(
    page: Page, gateway: Gateway, tmp_path: Path
) -> None:
    job = start(gateway, "line ü no JSON", "raw ff0a", "big 3000000", "result ok")
    show(page, gateway, job, "?view=raw")
    expect(page.get_by_text("4 lines")).to_be_visible()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download", exact=True).click()
    assert saved.value.suggested_filename == f"job-{job}.ndjson"
    saved.value.save_as(tmp_path / "lines")
    whole = gateway.ask("GET", f"/chat/{job}", headers={"Accept": "application/x-ndjson"})
    assert (tmp_path / "lines").read_bytes() == whole.content
    assert whole.content.startswith("ü no JSON\n".encode() + b"\xff\n" + b"xxx")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download (3.0 MB)").click()
    saved.value.save_as(tmp_path / "line")
    assert (tmp_path / "line").stat().st_size == 3_000_000


@pytest.mark.parametrize("size", [None, PHONE], ids=["wide", "phone"])
def test_a_hostile_job_runs_loads_and_hides_nothing(
    new_page: NewPage, gateway: Gateway, size: Any
) -> None:
    page = new_page(size) if size else new_page()
    strange: list[str] = []
    page.on("dialog", lambda dialog: (strange.append(dialog.message), dialog.dismiss()))
    page.on("popup", lambda popup: strange.append(popup.url))
    page.on(
        "request",
        lambda request: (
            request.url.startswith((f"{gateway.url}/", f"blob:{gateway.url}/"))
            or strange.append(request.url)
        ),
    )
    job = start(
        gateway,
        *(said(HTML), said(LINKS), said(HIDDEN), f"line {HTML}", said(f"```html\n{HTML}\n```")),
        called(HTML, {"command": HTML, HTML: HTML}),
        returned(HTML + HIDDEN, is_error=True),
        called("Edit", {"file_path": HTML, "old_string": HTML, "new_string": HIDDEN}, "toolu_2"),
        returned(HTML, "toolu_2", is_error=True),
        'line {"type":"system","subtype":"<b>x</b>"}',
        'line {"type":"assistant","message":{"content":[null,7,{"type":"text","text":{}}]}}',
        said("word " * 250_000),
        "big 10485760",
        f"complain {HTML}",
        "result error",
        "exit 1",
        title=HTML + HIDDEN,
    )
    conversation = show(page, gateway, job)
    expect(conversation.get_by_text("The job failed")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    conversation.evaluate("each => { each.scrollTop = 0 }")
    expect(conversation.get_by_text(SHOWN).last).to_be_visible()
    for _ in range(40):
        at_end = conversation.evaluate(
            "each => { each.scrollTop += 500;"
            " return each.scrollTop + each.clientHeight >= each.scrollHeight - 1 }"
        )
        page.evaluate("() => new Promise(requestAnimationFrame)")
        assert not page.locator("main :is(img, script, svg, iframe)").count()
        # At once: the list takes rows away while it is scrolled.
        for link in conversation.locator("a").evaluate_all(_TARGETS):
            assert re.match(r"#|https://|mailto:", link)
        if at_end:
            break
    page.get_by_role("tab", name="Raw lines").click()
    expect(page.get_by_role("region", name="Raw lines")).to_contain_text("onerror")
    assert not page.locator("main :is(img, script, svg, iframe)").count()
    assert not strange


def test_a_job_of_another_user_or_none_has_a_way_back(page: Page, gateway: Gateway) -> None:
    show(page, gateway, "00000000-0000-4000-8000-000000000000")
    expect(page.get_by_role("alert").first).to_contain_text("not found", ignore_case=True)
    page.get_by_role("main").get_by_role("link", name="Go to the jobs").click()
    page.wait_for_url("**/#/jobs")


def test_the_stream_goes_on_after_the_workers_were_killed(
    page: Page, tmp_path: Path, fake_claude: Path
) -> None:
    with running_gateway(tmp_path, fake_claude) as gateway:
        flag = gateway.folder / "go-on"
        job = start(gateway, "lines 100", f"await {flag}", said("The end of it"), "result ok")
        conversation = show(page, gateway, job)
        expect(conversation.get_by_text("line 99")).to_be_visible()
        gateway.kill_workers()
        flag.touch()
        expect(conversation.get_by_text("The end of it").last).to_be_visible()
        expect(conversation.get_by_text("The job succeeded")).to_be_visible()
        expect(page.get_by_text("line 99", exact=False)).to_have_count(1)
        eventually(lambda: gateway.ask("GET", f"/jobs/{job}").json()["status"] == "succeeded")
