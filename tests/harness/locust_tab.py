"""Locust's web interface on the demo site, and its tab with the pool: for tests, and for pictures.

``tox exec -e loadtests -- python -m tests.harness.locust_tab`` takes those of docs/monitoring.md,
after a minute of load.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.expected_conditions import (
    element_to_be_clickable,
    frame_to_be_available_and_switch_to_it,
)
from selenium.webdriver.support.ui import WebDriverWait

from demo import run
from matrix import ROOT, postgres
from matrix.processes import free_port

from .chromium import chromium, look

START_TIMEOUT, STOP_TIMEOUT, TIMEOUT = 60, 60, 30
FOLDER = ROOT / "docs" / "monitoring"
#: Of the pictures: users, seconds of load, and the window.
USERS, SECONDS, WIDTH, HEIGHT = 60, 60, 1280, 760


@contextmanager
def web_interface(
    database: postgres.Server, site: str, *arguments: str, base: str = ""
) -> Iterator[str]:
    """Locust's, before any test; its URL."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "locust", "-f", "loadtests", "-H", site, *arguments]
        + ["--web-host", "127.0.0.1", "--web-port", str(port), "--web-base-path", base],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database.url},
        stdin=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}{base}"

    def answers() -> bool:
        assert process.poll() is None, "Locust has ended"
        try:
            return requests.get(f"{url}/login", timeout=TIMEOUT).ok
        except requests.ConnectionError:
            return False

    try:
        wait_for(answers)
        yield url
    finally:
        process.terminate()
        process.wait(STOP_TIMEOUT)


def wait_for(condition: Callable[[], bool], seconds: float = START_TIMEOUT) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


def swarm(url: str, **form: str) -> None:
    """Begin a test, or go on with it on another host."""
    form = {"user_count": "1", "spawn_rate": "1", **form}
    answer = requests.post(f"{url}/swarm", data=form, timeout=TIMEOUT).json()
    assert answer["success"], answer


def begin(browser: Any, url: str, users: int) -> None:
    """A test, as a person does it.

    Locust's page goes back to its form if it asks how the test is before that has begun (an answer
    may be some seconds old, too); so it is loaded again once the test runs.
    """
    browser.get(f"{url}/")
    for name in ("userCount", "spawnRate"):
        field = WebDriverWait(browser, TIMEOUT).until(element_to_be_clickable((By.NAME, name)))
        field.send_keys(Keys.CONTROL, "a", Keys.NULL, str(users))
    browser.find_element(By.CSS_SELECTOR, "button[type=submit]").click()
    wait_for(lambda: state(url) == "running")
    browser.get(f"{url}/")


def state(url: str) -> str:
    """Of Locust's runner."""
    return str(requests.get(f"{url}/stats/requests", timeout=TIMEOUT).json()["state"])


def open_tab(browser: Any) -> None:
    """Look at the pool; the browser is in the tab's frame then."""
    wait = WebDriverWait(browser, TIMEOUT)
    wait.until(element_to_be_clickable((By.XPATH, "//button[@role='tab'][.='Pool']"))).click()
    frame = (By.CSS_SELECTOR, "geventpool-page iframe")
    wait.until(frame_to_be_available_and_switch_to_it(frame))


def status(url: str) -> Any:
    """What the page in the tab is told: figures, or what is wrong."""
    answer = requests.get(f"{url}/pool/status.json", timeout=TIMEOUT)
    return answer.json() if answer.ok else answer.text


def sampled(samples: list[list[float]]) -> float:
    """Seconds from the first to the last."""
    return samples[-1][0] - samples[0][0]


def main() -> None:
    with (
        postgres.server() as server,
        run.site(database_url=server.url) as site,
        web_interface(server, site) as url,
        tempfile.TemporaryDirectory() as folder,
        chromium(Path(folder)) as browser,
    ):
        browser.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
        look(browser, WIDTH, "light", HEIGHT)
        begin(browser, url, USERS)
        open_tab(browser)
        wait_for(lambda: sampled(status(url)["server"]["samples"]) >= SECONDS, 2 * SECONDS)
        browser.save_screenshot(str(FOLDER / "locust-tab.png"))
        look(browser, WIDTH, "light", HEIGHT - 300)
        browser.execute_script("document.querySelector('#the-server').scrollIntoView()")
        browser.save_screenshot(str(FOLDER / "locust-tab-server.png"))


if __name__ == "__main__":
    main()
