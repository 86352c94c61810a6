"""A real browser, Chromium without a window, that speaks to nobody but our own servers."""

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
    # It shall speak to nobody but the gateway.
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    """A browser that knows nothing yet, and keeps what pages say on its console."""
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
    """What the console has said since this was last asked: errors, refused loads, warnings."""
    return [entry for entry in driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
