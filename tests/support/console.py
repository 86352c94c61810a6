"""The console in a real browser: Playwright with the system's Chromium, and a gateway."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.browser import FLAGS

#: Sizes of the page: a desktop, and a phone.
WIDE = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all tests of a process; each page has a context of its own."""
    chromium = shutil.which("chromium")
    assert chromium, "install chromium, or run scripts/test, which does"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=[*FLAGS])
        yield started
        started.close()


def press(page: Page, key: str) -> None:
    """Press a key that the page hears as soon as it has shown what there is now.

    What listens to keys is registered after the frame that shows it first.
    """
    for _ in range(2):
        page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
    page.keyboard.press(key)


def sign_in(page: Page, base: str, name: str, secret: str, at: str = "#/jobs") -> None:
    """Open the console of a gateway and sign in; a key has no name."""
    page.goto(f"{base}/{at}")
    if not name:
        page.get_by_role("button", name="Use a key").click()
        page.get_by_label("Key", exact=True).fill(secret)
    else:
        page.get_by_label("Name").fill(name)
        page.get_by_label("Password").fill(secret)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("navigation", name="Pages").wait_for()
