"""Every page of the console, wide and on a phone, with the real CLI at work behind it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.console import PHONE, WIDE, sign_in
from tests.support.gateway import PASSWORD, ROOT, Gateway
from tests.support.shop import busy_gateway

pytestmark = [pytest.mark.browser, pytest.mark.real]

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
