"""The page of the matrix in a real browser: ``tox -e harness``.

It needs chromium and its driver (Debian: ``apt install chromium chromium-driver``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.expected_conditions import url_contains
from selenium.webdriver.support.ui import WebDriverWait

from matrix.cells import cells
from matrix.page import page
from matrix.record import Record
from matrix.results import FAILED

from . import made_up
from .chromium import CONTRAST, look


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Any:
    """Open the page of a record, as wide, in light or dark; the browser."""

    def open_(record: Record, width: int = 1280, scheme: str = "light", fragment: str = "") -> Any:
        (tmp_path / "index.html").write_text(page(record), encoding="utf-8")
        look(browser, width, scheme)
        for kind in ("browser", "performance"):
            browser.get_log(kind)  # so far
        browser.get("about:blank")
        browser.get(f"{(tmp_path / 'index.html').as_uri()}{fragment}")
        return browser

    return open_


def opened(browser: Any) -> list[str]:
    """The ids of the details that are shown."""
    return [
        each.get_attribute("id") for each in browser.find_elements(By.CSS_SELECTOR, ":popover-open")
    ]


def focused(browser: Any) -> str:
    return str(browser.switch_to.active_element.get_attribute("id"))


FIRST = "py39-django42-psycopg2"
WIDTHS = (320, 400, 800, 1280, 1920)


def test_it_asks_for_nothing_else_and_has_nothing_to_complain_of(show: Any) -> None:
    browser = show(made_up.record())
    requests = [
        entry["message"]
        for entry in browser.get_log("performance")
        if '"Network.requestWillBeSent"' in entry["message"]
    ]
    assert all(
        "index.html" in each or "about:blank" in each or '"data:,"' in each for each in requests
    )
    assert list(browser.get_log("browser")) == []


def test_what_a_log_says_is_text(show: Any) -> None:
    browser = show(made_up.record())
    assert browser.title == "2 of 100 cells failed · django-db-geventpool"
    assert browser.find_elements(By.CSS_SELECTOR, "img") == []
    assert len(browser.find_elements(By.CSS_SELECTOR, "script")) == 1
    (log,) = browser.find_elements(By.CSS_SELECTOR, "#details-py311-django52-psycopg3 pre")
    assert made_up.EVIL in log.get_attribute("textContent")


def test_a_script_that_was_not_escaped_would_not_run(show: Any, tmp_path: Path) -> None:
    browser = show(made_up.record())
    text = page(made_up.record()).replace("<main>", f"<main>{made_up.EVIL}")
    (tmp_path / "index.html").write_text(text, encoding="utf-8")
    browser.get((tmp_path / "index.html").as_uri())
    assert len(browser.find_elements(By.CSS_SELECTOR, "main script")) == 1
    assert browser.title != "evil"
    assert any("Content Security Policy" in each["message"] for each in browser.get_log("browser"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "selector",
    [
        *(f".cell{each}" for each in (".passed", ".failed", ".skipped", ".not-run")),
        "td.excluded a",
        ".counts li",
        ".facts dt",
        "h1",
        ".list a",
        ".partial",
    ],
)
def test_text_has_the_contrast_that_wcag_asks_for(selector: str, scheme: str, show: Any) -> None:
    browser = show(made_up.record(leave_out=3, partial=True), scheme=scheme)
    found = browser.execute_script(CONTRAST, selector)
    assert found and min(found) >= 4.5, found


def test_each_status_has_a_shape_and_a_word_of_its_own(show: Any) -> None:
    browser = show(made_up.record(leave_out=3))
    shapes = {}
    for name in ("passed", "failed", "skipped", "not-run"):
        cell = browser.find_element(By.CSS_SELECTOR, f".cell.{name}")
        assert name.replace("-", " ") in cell.find_element(By.CSS_SELECTOR, ".word").text
        use = cell.find_element(By.CSS_SELECTOR, "svg use")
        size = cell.find_element(By.CSS_SELECTOR, "svg").size
        assert size["width"] >= 12 and size["height"] >= 12
        target = use.get_attribute("href")
        shapes[name] = browser.execute_script(
            "return document.querySelector(arguments[0]).innerHTML", target
        )
    assert len(set(shapes.values())) == 4 and all(shapes.values())


def test_every_cell_is_there_once_and_named_for_those_who_cannot_see(show: Any) -> None:
    browser = show(made_up.record())
    buttons = browser.find_elements(By.CSS_SELECTOR, "button.cell")
    assert sorted(each.get_attribute("id") for each in buttons) == sorted(c.name for c in cells())
    name = browser.find_element(By.ID, FIRST).accessible_name
    assert name == "Python 3.9 · Django 4.2 · psycopg2: passed 381 tests"


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("more", [False, True], ids=["the matrix", "200 cells"])
def test_nothing_is_cut_off_at_the_side(more: bool, width: int, show: Any) -> None:
    record = made_up.record(*(made_up.many() if more else ()))
    assert not more or len(record.cells) > 180
    browser = show(record, width=width)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    # Text that is wider than its square would lie on the next one.
    overflowing = browser.execute_script(
        "return [...document.querySelectorAll('td > *')]"
        ".filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.textContent)"
    )
    assert overflowing == []


def test_on_a_phone_the_core_fits_without_scrolling(show: Any) -> None:
    browser = show(made_up.record(), width=400)
    assert browser.execute_script(
        "const box = document.querySelector('.wide'); return box.scrollWidth <= box.clientWidth"
    )


def test_a_click_shows_what_a_cell_was_and_escape_puts_it_away(show: Any) -> None:
    browser = show(made_up.record())
    browser.find_element(By.ID, FIRST).click()
    assert opened(browser) == [f"details-{FIRST}"]
    text = browser.find_element(By.ID, f"details-{FIRST}").text
    for part in (
        "3.12.12 (CPython)",
        "5.2.9",
        "381 passed",
        "9 skipped",
        "1 min 14 s",
        "PostgreSQL",
    ):
        assert part in text
    browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert opened(browser) == [] and focused(browser) == FIRST


def test_the_details_of_a_failure_have_its_log_and_fit_into_the_window(show: Any) -> None:
    for width in (400, 1280):
        browser = show(made_up.record(), width=width)
        browser.find_element(By.ID, "py311-django52-psycopg3").click()
        (details,) = browser.find_elements(By.CSS_SELECTOR, ":popover-open")
        assert "test_a_connection_that_comes_back_is_lent_again" in details.text
        box = details.rect
        assert box["x"] >= 0 and box["x"] + box["width"] <= width and box["height"] <= 900


def test_the_keys_alone_are_enough(show: Any) -> None:
    browser = show(made_up.record())
    for _ in range(20):
        if focused(browser) == FIRST:
            break
        browser.switch_to.active_element.send_keys(Keys.TAB)
    assert focused(browser) == FIRST
    outline = "return getComputedStyle(document.activeElement).outlineStyle"
    assert browser.execute_script(outline) != "none"
    browser.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
    assert focused(browser) == "py39-django42-psycopg3"
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    assert opened(browser) == ["details-py39-django42-psycopg3"]
    browser.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
    browser.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    assert focused(browser) == "py310-django50-psycopg2"
    assert opened(browser) == ["details-py310-django50-psycopg2"]


def test_an_address_can_name_a_cell(show: Any) -> None:
    browser = show(made_up.record(), fragment=f"#{FIRST}")
    assert opened(browser) == [f"details-{FIRST}"]
    browser.find_element(By.ID, FIRST).send_keys(Keys.ARROW_DOWN)
    # The browser tells of what was opened in a task of its own, later than the key is answered.
    WebDriverWait(browser, 10).until(url_contains("#py39-django42-psycopg3"))


def test_on_paper_are_the_tables_and_the_failures(show: Any) -> None:
    browser = show(made_up.record())
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    shown = [
        each.get_attribute("id")
        for each in browser.find_elements(By.CSS_SELECTOR, ".details")
        if each.is_displayed()
    ]
    failed = [name for name, result in made_up.record().results.items() if result.status == FAILED]
    assert sorted(shown) == sorted(f"details-{name}" for name in failed)
    assert browser.find_element(By.ID, FIRST).is_displayed()
