"""Journeys through the console that something breaks into: reloads, restarts, other users."""

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from tests.console.conftest import NewPage
from tests.console.test_job import said, show, start
from tests.support.console import press, sign_in
from tests.support.gateway import PASSWORD, Gateway, eventually, running_gateway
from tests.support.two_users import ALICE, BOB, KEYS, by

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


@pytest.fixture
def gateway(gateway_with: Callable[..., Gateway]) -> Gateway:
    """A gateway with two users beside the operator, and without the jobs of other tests."""
    return gateway_with(API_KEYS=KEYS, LOG_LEVEL="INFO")


def start_for(gateway: Gateway, key: str, *verbs: str, title: str) -> str:
    """Start a detached job of a key's user; returns its id."""
    signed = by(key)
    signed["headers"]["Prefer"] = "respond-async"
    body = {"prompt": "\n".join(verbs), "cwd": str(gateway.project), "title": title}
    answer = gateway.ask("POST", "/chat", json=body, **signed)
    assert answer.status_code == 202, answer.text
    identity: str = answer.json()["process_id"]
    return identity


def raw_lines(page: Page) -> tuple[int, list[int]]:
    """How many raw lines there are, and the numbers in those that are in the page."""
    page.get_by_role("tab", name="Raw lines").click()
    region = page.get_by_role("region", name="Raw lines")
    region.locator(".raw-text").first.wait_for()
    count = re.findall(r"[\d,]+", page.get_by_text(re.compile(r"^[\d,]+ lines$")).inner_text())[0]
    shown = "\n".join(region.locator(".raw-text").all_inner_texts())
    return int(count.replace(",", "")), [int(each) for each in re.findall(r"line (\d+)", shown)]


def test_no_line_is_lost_or_doubled_when_the_gateway_reloads_and_the_page_does(
    page: Page, tmp_path: Path, fake_claude: Path
) -> None:
    with running_gateway(tmp_path, fake_claude) as gateway:
        flag = gateway.folder / "enough"
        job = start(gateway, f"babble 0.2 {flag}", said("The end of it"), "result ok")
        conversation = show(page, gateway, job)

        def last_shown() -> int:
            """The number of the last line that is shown, or -1."""
            numbers = re.findall(r"line (\d+)", conversation.inner_text())
            return max(map(int, numbers), default=-1)

        eventually(lambda: last_shown() >= 2)
        gateway.reload()
        before = last_shown()
        page.reload()
        eventually(lambda: last_shown() > before)
        gateway.reload()
        flag.touch()
        expect(conversation.get_by_text("The job succeeded")).to_be_visible()
        expect(page.get_by_text("Connecting again")).to_have_count(0)
        count, numbers = raw_lines(page)
        whole = gateway.ask("GET", f"/chat/{job}", headers={"Accept": "application/x-ndjson"})
        assert count == whole.content.count(b"\n")
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_a_gateway_that_was_away_is_found_again_without_a_reload(
    page: Page, tmp_path: Path, fake_claude: Path, new_page: NewPage
) -> None:
    with running_gateway(tmp_path, fake_claude) as gateway:
        job = start(gateway, "result ok", title="Before")
        sign_in(page, gateway.url, "admin", PASSWORD)
        expect(page.get_by_role("link", name="Before")).to_be_visible()
        other = new_page()
        sign_in(other, gateway.url, "admin", PASSWORD)
        gateway.stop()
        for each in (page, other):
            expect(each.get_by_text("The connection to the gateway is gone")).to_be_visible()
        # A page that is opened meanwhile says so, and has what it shows once the gateway is back.
        other.goto(f"{gateway.url}/#/jobs/{job}")
        expect(other.get_by_role("alert")).to_contain_text("The gateway does not answer")
        gateway.start()
        start(gateway, "result ok", title="After")
        expect(page.get_by_role("link", name="After")).to_be_visible()
        expect(other.get_by_role("heading", name="Before")).to_be_visible()
        for each in (page, other):
            expect(each.get_by_text("The connection to the gateway is gone")).to_have_count(0)


def test_users_find_nothing_of_each_other_by_any_link(page: Page, gateway: Gateway) -> None:
    session = "8d56a8f1-3c9f-44e9-a11c-1a2b3c4d5e6f"
    verbs = (f"system {session}", said("Bob's words"), "result ok")
    job = start_for(gateway, BOB, *verbs, title="Bobs")
    gateway.ask("GET", f"/jobs/{job}", params={"wait": 20})
    sign_in(page, gateway.url, "", ALICE, f"#/jobs/{job}")
    main = page.get_by_role("main")
    expect(main.get_by_role("alert").first).to_contain_text("not found", ignore_case=True)
    for place, words in (
        (f"sessions/{session}", re.compile("not found|no session", re.IGNORECASE)),
        ("gateway", "Only the operator sees this page"),
        ("jobs?user=bob", "No job"),
        ("jobs?q=Bobs", "No job"),
        ("questions", "No job has a question"),
        ("sessions?origin=terminal", "No session fits"),
        ("use?by=user", "No job has ended"),
    ):
        page.goto(f"{gateway.url}/#/{place}")
        expect(main).to_contain_text(words)
        assert "Bobs" not in main.inner_text()


def test_nothing_of_a_user_is_left_for_the_next_one(page: Page, gateway: Gateway) -> None:
    start_for(gateway, BOB, "result ok", title="Of Bob")
    start_for(gateway, ALICE, "silent", title="Alices")
    sign_in(page, gateway.url, "", ALICE, "#/jobs?q=Alices")
    expect(page.get_by_role("link", name="Alices")).to_be_visible()
    page.goto(f"{gateway.url}/#/new?cwd=/tmp/of-alice")
    page.get_by_label("Prompt").fill("A draft of Alice")
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Sign in").wait_for()
    assert page.evaluate("JSON.stringify({...sessionStorage})") == "{}"
    assert page.url == f"{gateway.url}/#/jobs"
    page.get_by_role("button", name="Use a key").click()
    page.get_by_label("Key", exact=True).fill(BOB)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("navigation", name="Pages").wait_for()
    expect(page.get_by_role("link", name="Of Bob")).to_be_visible()
    assert "lice" not in page.locator("body").inner_text()
    page.goto(f"{gateway.url}/#/new")
    expect(page.get_by_label("Prompt")).to_have_value("")


def test_a_key_that_is_withdrawn_signs_the_open_page_out(
    page: Page, tmp_path: Path, fake_claude: Path
) -> None:
    env = tmp_path / ".env"
    env.write_text(f"API_KEYS={KEYS}\n", encoding="utf-8")
    with running_gateway(tmp_path, fake_claude) as gateway:
        start_for(gateway, ALICE, "result ok", title="Alices")
        sign_in(page, gateway.url, "", ALICE)
        expect(page.get_by_role("link", name="Alices")).to_be_visible()
        env.write_text(f"API_KEYS={KEYS.partition(',')[2]}\n", encoding="utf-8")
        gateway.reload()
        expect(page.get_by_role("alert")).to_contain_text("no longer accepts these credentials")
        assert "Alices" not in page.locator("body").inner_text()
        assert "authorization" not in page.evaluate("JSON.stringify({...sessionStorage})")


def test_an_address_names_no_other_operation(page: Page, gateway: Gateway) -> None:
    asked: list[str] = []
    sign_in(page, gateway.url, "admin", PASSWORD)
    page.on("request", lambda request: asked.append(request.url))
    for part in ("..%2Fwhoami", "..", "..%2Fstats%3F", "a%20b", "%2e%2e%2Fruns"):
        for name in ("jobs", "sessions"):
            page.goto(f"{gateway.url}/#/{name}/{part}")
            expect(page.get_by_role("heading", name="There is no page here")).to_be_visible()
    # What the list of jobs may still have asked for.
    assert {urlsplit(each).path for each in asked} <= {"/", "/events", "/questions", "/jobs"}


def expect_focus(page: Page) -> None:
    """An element has the focus, or gets it: the page itself is none."""
    expect(page.locator("body :focus")).to_have_count(1)


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the button with this name has the focus."""
    button = page.get_by_role("button", name=name, exact=True)
    button.wait_for()
    for _ in range(40):
        page.keyboard.press("Tab")
        if button.evaluate("each => each === document.activeElement"):
            return
    raise AssertionError(f"Tab does not come to {name}")


def test_the_keyboard_is_enough_and_the_focus_is_never_lost(page: Page, gateway: Gateway) -> None:
    page.goto(gateway.url)
    expect(page.get_by_label("Password")).to_be_focused()
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Jobs").wait_for()
    expect(page.locator("main:focus")).to_have_count(1)
    press(page, "n")
    expect(page.locator("#field-prompt:focus")).to_have_count(1)
    page.keyboard.type('ask Bash {"command": "make"}\nsilent')
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Control+a")
    page.keyboard.type(str(gateway.project))
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Allow once").wait_for()
    expect_focus(page)
    tab_to(page, "Allow once")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Allow once")).to_have_count(0)
    expect_focus(page)
    tab_to(page, "Cancel")
    page.keyboard.press("Enter")
    tab_to(page, "Cancel the job")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The job was cancelled")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel", exact=True)).to_have_count(0)
    expect_focus(page)


def test_a_tab_that_leaves_long_jobs_has_room_again(page: Page, gateway: Gateway) -> None:
    job = start(
        gateway, f"repeat 30000 {said('Some **words**').removeprefix('line ')}", "result ok"
    )
    gateway.ask("GET", f"/jobs/{job}", params={"wait": 60}, timeout=80)
    sign_in(page, gateway.url, "admin", PASSWORD)
    browser = page.context.new_cdp_session(page)
    browser.send("Performance.enable")

    def used() -> tuple[float, float]:
        """Megabytes and nodes, of what is still reachable."""
        for _ in range(2):
            browser.send("HeapProfiler.collectGarbage")
        metrics = browser.send("Performance.getMetrics")["metrics"]
        found = {each["name"]: each["value"] for each in metrics}
        return found["JSHeapUsedSize"] / 1e6, found["Nodes"]

    list_of_jobs = page.locator(".jobs-title a").first
    list_of_jobs.wait_for()
    before = used()
    for _ in range(5):
        page.evaluate("id => { location.hash = `#/jobs/${id}` }", job)
        page.get_by_text("The job succeeded").wait_for()
        assert page.locator("*").count() < 1500
        inside = used()
        page.evaluate("location.hash = '#/jobs'")
        list_of_jobs.wait_for()
    after = used()
    assert inside[0] > before[0] + 4
    assert after[0] < before[0] + 4
    assert after[1] < before[1] + 600


def test_below_the_path_of_a_proxy_every_request_stays_there(page: Page, gateway: Gateway) -> None:
    below, elsewhere = f"{gateway.url}/tools/claude/", []

    def passed(route: Route) -> None:
        # As a proxy that takes its own path away.
        url = route.request.url
        if not url.startswith(below):
            elsewhere.append(url)
        route.continue_(url=url.replace(below, f"{gateway.url}/"))

    page.route("**/*", passed)
    job = start(gateway, said("Below a path"), "result ok", title="A job below")
    sign_in(page, below.removesuffix("/"), "admin", PASSWORD, "#/jobs")
    page.get_by_role("link", name="A job below").click()
    expect(page.get_by_text("The job succeeded")).to_be_visible()
    assert page.url == f"{below}#/jobs/{job}"
    for name, words in (
        ("questions", "No job has a question"),
        ("sessions", "Sessions"),
        ("use?by=day", "The last 30 days"),
        ("gateway", "Log"),
        ("new", "Folder"),
    ):
        page.goto(f"{below}#/{name}")
        expect(page.get_by_role("main")).to_contain_text(words)
    page.get_by_text("The same as code").click()
    expect(page.get_by_role("main")).to_contain_text(f"{below}chat")
    assert elsewhere == []
