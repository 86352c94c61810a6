"""`/docs` and `/redoc` in a real browser: all is shown, nothing is refused, and requests work."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from app.openapi.document import make_document
from tests.support.browser import complaints
from tests.support.described import application
from tests.support.gateway import Gateway, eventually

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

#: Seconds that a page has to show what it has to: it takes 10 on a machine with little other work.
PATIENCE = 60.0
#: Swagger UI can say ASCII alone in HTTP Basic.
PASSWORD = "plain-password"  # noqa: S105
#: The end of the id: the rest is made from the name of the tag.
PROCESSES = "[id$=jobs_processes]"
#: Operations with long names, texts and examples.
WIDE = ("chat_start", "questions_answer", "completions_complete")
#: The width of a telephone, and of a small screen.
WIDTHS = (390, 1280)


@pytest.fixture(scope="module")
def operations() -> dict[str, str]:
    """The summaries of all operations, by their ids."""
    return {
        operation["operationId"]: operation["summary"]
        for path in make_document(application())["paths"].values()
        for operation in path.values()
    }


def eventually_shown(
    fact: Callable[[], object], otherwise: Callable[[], str] = lambda: "it is not shown"
) -> None:
    """Wait for what a page has to show."""
    eventually(fact, otherwise, PATIENCE)


def text_of(browser: webdriver.Chrome) -> str:
    """What the page shows."""
    text: str = browser.execute_script("return document.body.innerText")
    return text


def texts_of(browser: webdriver.Chrome, selector: str) -> list[str]:
    """What the elements of a selector show."""
    script = "return [...document.querySelectorAll(arguments[0])].map((one) => one.innerText)"
    texts: list[str] = browser.execute_script(script, selector)
    return texts


def loaded(browser: webdriver.Chrome) -> set[str]:
    """Whence the page has loaded anything."""
    script = "return performance.getEntriesByType('resource').map((one) => one.name)"
    return {
        name.partition(":")[0] + "://" + name.split("/")[2] for name in script_of(browser, script)
    }


def script_of(browser: webdriver.Chrome, script: str) -> list[str]:
    """The strings that a script returns."""
    found: list[str] = browser.execute_script(script)
    return [name for name in found if not name.startswith(("data:", "blob:"))]


def test_swagger_ui_shows_every_operation_and_tries_one_out(
    start_gateway: Callable[..., Gateway],
    driver: webdriver.Chrome,
    operations: dict[str, str],
) -> None:
    gateway = start_gateway(AUTH_PASSWORD=PASSWORD)
    driver.get(f"{gateway.url}/docs")

    def find(selector: str) -> list[webdriver.remote.webelement.WebElement]:
        return driver.find_elements(By.CSS_SELECTOR, selector)

    def press(selector: str) -> None:
        eventually_shown(lambda: find(selector), lambda: f"{selector}: {complaints(driver)}")
        driver.execute_script("arguments[0].click()", find(selector)[0])

    eventually_shown(
        lambda: len(find(".opblock")) == len(operations), lambda: str(complaints(driver))
    )
    text = text_of(driver)
    assert [summary for summary in operations.values() if summary not in text] == []
    press(".btn.authorize")
    eventually_shown(lambda: find("#auth-basic-username"))
    find("#auth-basic-username")[0].send_keys("admin")
    find("#auth-basic-password")[0].send_keys(PASSWORD)
    press(".auth-btn-wrapper .authorize")
    press(".auth-btn-wrapper .btn-done")
    press(f"{PROCESSES} .opblock-summary-control")
    press(f"{PROCESSES} .try-out__btn")
    press(f"{PROCESSES} .execute")
    # Read by one script: the page makes its elements anew whenever it likes.
    status = f"{PROCESSES} .live-responses-table .response-col_status"
    eventually_shown(lambda: any(text.startswith("200") for text in texts_of(driver, status)))
    answer = f"{PROCESSES} .live-responses-table"
    eventually_shown(lambda: any('"count": 0' in text for text in texts_of(driver, answer)))
    assert loaded(driver) == {gateway.url}
    assert complaints(driver) == []


def set_width(browser: webdriver.Chrome, width: int) -> None:
    """Make the page so many pixels wide; a window cannot be as narrow as a telephone."""
    size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def overflow(browser: webdriver.Chrome) -> int:
    """By how many pixels something is wider than the page."""
    pixels: int = browser.execute_script(
        "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return pixels


def test_swagger_ui_begins_with_a_request_that_works_and_fits_on_a_telephone(
    start_gateway: Callable[..., Gateway],
    driver: webdriver.Chrome,
    tmp_path: Path,
) -> None:
    gateway = start_gateway(AUTH_PASSWORD=PASSWORD)
    set_width(driver, WIDTHS[0])
    driver.get(f"{gateway.url}/docs")
    eventually_shown(
        lambda: driver.find_elements(By.CSS_SELECTOR, ".opblock"), lambda: str(complaints(driver))
    )
    text = text_of(driver)
    assert text.index("Start here") < text.index("Authorize") < text.index("POST")
    command = driver.find_element(By.CSS_SELECTOR, ".info pre code").text
    assert f"curl -N -u admin {gateway.url}/chat" in command
    done = subprocess.run(
        [
            "bash",
            "-c",
            command.replace("-u admin", f"--fail --no-progress-meter -u admin:{PASSWORD}"),
        ],
        env={"PATH": os.defpath, "HOME": str(tmp_path), "no_proxy": "*"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "event: done" in done.stdout
    for operation in WIDE:
        selector = f"[id$={operation}] .opblock-summary-control"
        driver.execute_script("document.querySelector(arguments[0]).click()", selector)
    # The last of them is shown whole.
    wanted = f"[id$={WIDE[-1]}] .responses-table"
    eventually_shown(lambda: driver.find_elements(By.CSS_SELECTOR, wanted))
    for width in WIDTHS:
        set_width(driver, width)
        assert overflow(driver) == 0, width
    assert complaints(driver) == []


def test_redoc_shows_every_operation(
    gateway: Gateway,
    driver: webdriver.Chrome,
    operations: dict[str, str],
) -> None:
    driver.get(f"{gateway.url}/redoc")

    def all_are_shown() -> bool:
        # To make the text of this page takes a while.
        text = text_of(driver)
        return all(summary in text for summary in operations.values())

    eventually_shown(all_are_shown, lambda: str(complaints(driver)))
    # Its styles, made while it ran, are in force: the menu is beside the text.
    menu, text = (
        driver.find_element(By.CSS_SELECTOR, selector).rect
        for selector in (".menu-content", ".api-content")
    )
    assert menu["x"] + menu["width"] <= text["x"] + 1
    assert f"{gateway.url}/chat" in text_of(driver)
    search = driver.find_element(By.CSS_SELECTOR, "input[type=text]")
    search.send_keys("Cancel")
    eventually_shown(
        lambda: driver.find_elements(By.CSS_SELECTOR, "[data-role='search:results'] li")
    )
    assert loaded(driver) == {gateway.url}
    set_width(driver, WIDTHS[0])
    assert overflow(driver) == 0
    assert complaints(driver) == []
