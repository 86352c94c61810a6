"""A real browser, Chromium without a window, that connects only to the tests' own servers."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

FLAGS = (
    # As root it would not start otherwise; the only pages are our own.
    "--no-sandbox",
    "--headless",
    "--disable-gpu",
    "--window-size=1400,2000",
    # It must connect only to the gateway.
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    """A new browser, which keeps the console messages of its pages."""
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    assert chromium and chromedriver, "install both, or run scripts/test, which does"
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in (*FLAGS, f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(flag)
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path)}
    started = webdriver.Chrome(options=options, service=Service(chromedriver, env=environment))
    try:
        yield started
    finally:
        started.quit()


def complaints(driver: webdriver.Chrome) -> list[dict[str, Any]]:
    """The console messages since the last call: errors, refused loads, warnings."""
    return [entry for entry in driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
