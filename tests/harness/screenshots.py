"""Pictures of the live page for docs/monitoring.md: ``python -m tests.harness.screenshots``.

The figures are made up, so that the pictures only change when the page does.
"""

from __future__ import annotations

import base64
import tempfile
from pathlib import Path
from typing import Any

from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from . import made_up_status as made_up
from .chromium import chromium, look
from .made_up_site import Site

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "monitoring"
EXHAUSTED = made_up.status(made_up.workers(made_up.exhausted, threshold=made_up.THRESHOLD))
BUSY = made_up.status(made_up.workers(made_up.busy))
#: By name: the figures, light or dark, the window's width and height, and from which block on.
PICTURES = {
    "exhausted": (EXHAUSTED, "light", 1180, 765, ""),
    "holders": (EXHAUSTED, "light", 1180, 560, ".holders"),
    "busy": (BUSY, "dark", 1180, 720, ""),
    "phone": (EXHAUSTED, "light", 390, 800, ""),
}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    site = Site()
    try:
        with tempfile.TemporaryDirectory() as folder, chromium(Path(folder)) as browser:
            browser.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": "UTC"})
            browser.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
            for name, (site.status, scheme, width, height, block) in PICTURES.items():
                look(browser, width, scheme, height)
                browser.get(site.url)
                WebDriverWait(browser, 20).until(
                    lambda one: one.find_elements(By.CSS_SELECTOR, ".chart[width]")
                )
                if block:
                    show(browser, block)
                picture = browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
                (FOLDER / f"{name}.png").write_bytes(base64.b64decode(picture["data"]))
    finally:
        site.end()


def show(browser: Any, block: str) -> None:
    """From its heading on, with the first of its details opened."""
    found = browser.find_element(By.CSS_SELECTOR, block)
    found.find_element(By.TAG_NAME, "summary").click()
    browser.execute_script("arguments[0].scrollIntoView(); scrollBy(0, -16)", found)


if __name__ == "__main__":
    main()
