"""`/docs` and `/redoc` in a real browser: all is shown, nothing is refused, and requests work."""

from collections.abc import Callable

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from app.openapi.document import make_document
from tests.support.browser import complaints
from tests.support.described import application
from tests.support.gateway import Gateway, eventually

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

#: Swagger UI can say ASCII alone in HTTP Basic.
PASSWORD = "plain-password"  # noqa: S105


@pytest.fixture(scope="module")
def operations() -> dict[str, str]:
    """The summaries of all operations, by their ids."""
    return {
        operation["operationId"]: operation["summary"]
        for path in make_document(application())["paths"].values()
        for operation in path.values()
    }


def text_of(browser: webdriver.Chrome) -> str:
    """What the page shows."""
    text: str = browser.execute_script("return document.body.innerText")
    return text


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
        eventually(lambda: find(selector), lambda: f"{selector}: {complaints(driver)}")
        driver.execute_script("arguments[0].click()", find(selector)[0])

    eventually(lambda: len(find(".opblock")) == len(operations), lambda: str(complaints(driver)))
    for summary in operations.values():
        assert summary in text_of(driver)
    press(".btn.authorize")
    eventually(lambda: find("#auth-basic-username"))
    find("#auth-basic-username")[0].send_keys("admin")
    find("#auth-basic-password")[0].send_keys(PASSWORD)
    press(".auth-btn-wrapper .authorize")
    press(".auth-btn-wrapper .btn-done")
    press("#operations-jobs-jobs_processes .opblock-summary-control")
    press("#operations-jobs-jobs_processes .try-out__btn")
    press("#operations-jobs-jobs_processes .execute")
    status = "#operations-jobs-jobs_processes .live-responses-table .response-col_status"
    eventually(lambda: any(cell.text.startswith("200") for cell in find(status)))
    answer = find("#operations-jobs-jobs_processes .live-responses-table")[0].text
    assert '"count": 0' in answer
    assert loaded(driver) == {gateway.url}
    assert complaints(driver) == []


def test_redoc_shows_every_operation(
    gateway: Gateway,
    driver: webdriver.Chrome,
    operations: dict[str, str],
) -> None:
    driver.get(f"{gateway.url}/redoc")
    eventually(
        lambda: all(summary in text_of(driver) for summary in operations.values()),
        lambda: str(complaints(driver)),
    )
    # Its styles, made while it ran, are in force: the menu is beside the text.
    menu, text = (
        driver.find_element(By.CSS_SELECTOR, selector).rect
        for selector in (".menu-content", ".api-content")
    )
    assert menu["x"] + menu["width"] <= text["x"] + 1
    search = driver.find_element(By.CSS_SELECTOR, "input[type=text]")
    search.send_keys("Cancel")
    eventually(lambda: driver.find_elements(By.CSS_SELECTOR, "[data-role='search:results'] li"))
    assert loaded(driver) == {gateway.url}
    assert complaints(driver) == []
