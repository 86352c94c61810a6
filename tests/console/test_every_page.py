"""Every page of the console, wide and on a phone, with the real CLI at work behind it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.console.conftest import NewPage
from tests.support.console import PHONE, WIDE, sign_in
from tests.support.gateway import PASSWORD, ROOT, Gateway
from tests.support.shop import busy_gateway

# The first test also waits for the jobs of the busy gateway, one after the other.
pytestmark = [pytest.mark.browser, pytest.mark.real, pytest.mark.timeout(240)]

AXE = ROOT / "console/node_modules/axe-core/axe.min.js"
# Serious and critical, of WCAG 2.2 A and AA.
_RUN_AXE = (
    """() => axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] })"""
)


@pytest.fixture(scope="module")
def busy(
    claude: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Gateway, dict[str, str]]]:
    with busy_gateway(tmp_path_factory.mktemp("shop"), claude) as found:
        yield found


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_every_page_is_accessible_and_fits(
    browser: Browser, busy: tuple[Gateway, dict[str, str]], size: Any, theme: Any
) -> None:
    gateway, pages = busy
    page = browser.new_context(viewport=size, color_scheme=theme).new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(gateway.url)
    page.get_by_role("button", name="Sign in").wait_for()
    problems = {"sign-in": judge(page)}
    sign_in(page, gateway.url, "admin", PASSWORD)
    for name, address in pages.items():
        if name != "sign-in":
            page.evaluate("hash => { location.hash = hash }", address)
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            expect(page.get_by_text("Loading…")).to_have_count(0)
            problems[name] = judge(page)
    page.context.close()
    assert {name: found for name, found in problems.items() if found} == {}
    assert complaints == []


def judge(page: Page) -> list[str]:
    """What is wrong with the page that is shown."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate(_RUN_AXE)
    problems = [
        f"{each['id']}: {node['html'][:200]}"
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]
    width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return problems + ([f"{width} px wider than the window"] if width > 0 else [])


def test_sessions_are_searched_read_and_continued(
    new_page: NewPage, busy: tuple[Gateway, dict[str, str]]
) -> None:
    gateway, _ = busy
    page = new_page()
    sign_in(page, gateway.url, "admin", PASSWORD, "#/sessions")
    page.get_by_role("searchbox").fill("discount")
    found = page.get_by_role("listitem")
    expect(found).to_have_count(1)
    found.get_by_role("link", name="Add a discount").click()
    expect(page.get_by_text("The cart has a discount now.")).to_be_visible()
    expect(page.get_by_text("How many files are here?", exact=True)).to_be_visible()
    page.get_by_role("link", name="Fork").click()
    page.wait_for_url(re.compile("fork=1"))
    expect(page.get_by_label("Prompt", exact=True)).to_be_visible()
    page.go_back()
    page.get_by_text("2 jobs of this session").click()
    expect(page.locator("details a")).to_have_count(2)


def test_use_is_summed_up_as_the_address_says(
    new_page: NewPage, busy: tuple[Gateway, dict[str, str]]
) -> None:
    gateway, _ = busy
    page = new_page()
    sign_in(page, gateway.url, "admin", PASSWORD, "#/use?by=model")
    expect(page.get_by_role("rowheader", name="sonnet")).to_be_visible()
    page.get_by_role("button", name="By user").click()
    expect(page.get_by_role("rowheader", name="admin")).to_be_visible()
    page.reload()
    expect(page.get_by_role("rowheader", name="admin")).to_be_visible()
    expect(page.get_by_role("rowheader", name="A new process", exact=True)).to_be_visible()


def test_the_operator_sees_how_the_gateway_is_and_ends_a_run(
    new_page: NewPage, busy: tuple[Gateway, dict[str, str]]
) -> None:
    gateway, _ = busy
    page = new_page()
    sign_in(page, gateway.url, "admin", PASSWORD, "#/gateway")
    page.get_by_role("searchbox").fill("max_jobs")
    expect(page.get_by_text("MAX_JOBS=3")).to_be_visible()
    expect(page.get_by_text("AUTH_PASSWORD")).to_have_count(0)
    page.get_by_role("searchbox").fill("password")
    expect(page.get_by_text("AUTH_PASSWORD=***")).to_be_visible()
    expect(page.get_by_label("lines of the log")).to_contain_text("GET /whoami")
    expect(page.locator(".checks").get_by_text("claude", exact=True)).to_be_visible()
    idle = page.get_by_role("row").filter(has=page.get_by_text("idle", exact=True))
    expect(idle).to_have_count(1)
    idle.get_by_role("button", name="End").click()
    expect(page.get_by_text("The run has ended.")).to_be_visible()
    expect(idle).to_have_count(0)
