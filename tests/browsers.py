"""Pages in a real browser, without a screen."""

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
NEEDED = [
    pytest.mark.slow,
    pytest.mark.skipif(not (BROWSER and DRIVER), reason="needs chromium and chromedriver"),
]
SECONDS = 10.0


@contextlib.contextmanager
def opened() -> "Iterator[Chrome]":
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER or ""
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER or ""))
    try:
        yield driver
    finally:
        driver.quit()


def until(ready: Callable[[], object], wanted: object) -> None:
    """Wait for ``ready`` to return ``wanted``."""
    end = time.monotonic() + SECONDS
    while (got := ready()) != wanted and time.monotonic() < end:
        time.sleep(0.02)
    assert got == wanted


@contextlib.contextmanager
def looking(browser: "Chrome", width: int, scheme: str) -> Iterator[None]:
    """The window that wide, for somebody who prefers ``scheme``, light or dark."""
    size = {"width": width, "height": 860, "deviceScaleFactor": 1, "mobile": width < 500}
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    try:
        yield
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def seen(browser: "Chrome", scheme: str, picture: Path) -> None:
    """The page has the colours of ``scheme`` and nothing beyond its right side; keeps a ``picture``."""
    background = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    levels = [int(level) for level in background[4:-1].split(",")]
    assert (max(levels) < 64) == (scheme == "dark")
    assert (min(levels) > 192) == (scheme == "light")
    wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert browser.execute_script(wide) == 0
    assert browser.save_screenshot(str(picture))
    assert picture.stat().st_size > 10_000
