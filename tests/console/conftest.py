"""Fixtures of the console's pages: a browser, and pages that report what went wrong in them."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, ViewportSize, expect

from tests.support.console import WIDE, browser

__all__ = ["browser", "new_page", "page"]

#: Milliseconds for what the page does, or shall show. The browser shares the machine with others,
#: and the page may first have to connect again, which it tries every 10 seconds.
PATIENCE = 30_000
expect.set_options(timeout=PATIENCE)

#: What opens a page, in a context (a tab's storage) of its own.
NewPage = Callable[..., Page]


@pytest.fixture
def new_page(browser: Browser) -> Iterator[NewPage]:
    """Opens pages of a size; at the end none of them may have raised an error."""
    contexts, errors = [], []

    def heard(message: ConsoleMessage) -> None:
        # A refused request is logged as well; the tests know which are.
        if message.type == "error" and "Failed to load resource" not in message.text:
            errors.append(message.text)

    def opened(size: ViewportSize = WIDE) -> Page:
        context = browser.new_context(viewport=size, color_scheme="light")
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", heard)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not errors


@pytest.fixture
def page(new_page: NewPage) -> Page:
    """A page of a desktop's size."""
    return new_page()
