"""A headless Chromium, for the tests of the pages and for their pictures.

It needs chromium and its driver (Debian: ``apt install chromium chromium-driver``).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run", "--disable-dev-shm-usage"),
)
WHERE = "https://packages.debian.org/stable/chromium-driver"


class NoChromium(Exception):
    """The message tells where it is to be had."""


@contextmanager
def chromium(folder: Path) -> Iterator[Any]:
    """A browser that keeps what it has to keep in *folder*.

    :raises NoChromium:
    """
    driver, program = shutil.which("chromedriver"), shutil.which("chromium")
    if driver is None or not (program or shutil.which("google-chrome")):
        raise NoChromium(f"no chromium with chromedriver on PATH; Debian has them: {WHERE}")
    options = webdriver.ChromeOptions()
    options.binary_location = program or ""
    for flag in FLAGS:
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={folder}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        yield browser
    finally:
        browser.quit()


def look(browser: Any, width: int, scheme: str, height: int = 900) -> None:
    """Through a window of that size, "light" or "dark"."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": [feature]})


#: The contrast of text on what is behind it: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
CONTRAST = """
const channels = (color) => color.match(/[\\d.]+/g).map(Number);
const light = (color) => {
  const [r, g, b] = channels(color).map((c) => c / 255).map(
    (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (element) => {
  const color = getComputedStyle(element).backgroundColor;
  return channels(color)[3] === 0 ? behind(element.parentElement) : color;
};
return [...document.querySelectorAll(arguments[0])].map((element) => {
  const [a, b] = [light(getComputedStyle(element).color), light(behind(element))];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
});
"""
