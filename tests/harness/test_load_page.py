"""The reports of the load suite in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from loadtests import _page, scenarios
from loadtests._record import Record
from loadtests._rules import judge
from loadtests._run import Asked

from . import made_up_run
from .chromium import CONTRAST, look
from .made_up_run import EVIL

WIDTHS = (320, 390, 800, 1280)


def record(name: str, **changed: Any) -> Record:
    run = made_up_run.run(name, **changed)
    return Record(name, run, tuple(judge(run)))


FAILED = record(
    "server_restart",
    errors=1,
    asked=(Asked(EVIL, 900, 3, 8, 30, 60),),
    failures=((EVIL, 3),),
    trouble=EVIL,
)


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Any:
    """Open a report, or the summary of several records; the browser."""

    def open_(*records: Record, width: int = 1280, scheme: str = "light") -> Any:
        text = _page.page(records[0]) if len(records) == 1 else _page.index(records)
        (tmp_path / "report.html").write_text(text, encoding="utf-8")
        look(browser, width, scheme)
        for kind in ("browser", "performance"):
            browser.get_log(kind)  # so far
        browser.get("about:blank")
        browser.get((tmp_path / "report.html").as_uri())
        return browser

    return open_


@pytest.mark.parametrize("records", [[FAILED], [FAILED, record("soak")]], ids=["one", "several"])
def test_it_asks_for_nothing_else_and_has_nothing_to_complain_of(
    records: list[Record], show: Any
) -> None:
    browser = show(*records)
    requests = [
        entry["message"]
        for entry in browser.get_log("performance")
        if '"Network.requestWillBeSent"' in entry["message"]
    ]
    assert requests
    assert all(
        "report.html" in each or "about:blank" in each or '"data:,"' in each for each in requests
    )
    assert list(browser.get_log("browser")) == []


def test_what_failed_comes_first_and_what_a_run_says_is_text(show: Any) -> None:
    browser = show(FAILED)
    assert browser.title == "server_restart failed · django-db-geventpool"
    assert browser.find_elements(By.CSS_SELECTOR, "img") == []
    first = browser.find_element(By.CSS_SELECTOR, "main section")
    assert "errors in the suite itself: 1; at most 0" in first.text
    assert browser.find_element(By.TAG_NAME, "body").text.count(EVIL) == 4


@pytest.mark.parametrize("name", scenarios.NAMES)
def test_every_scenario_has_its_question_all_panels_and_all_criteria(name: str, show: Any) -> None:
    browser = show(record(name))
    text = browser.find_element(By.TAG_NAME, "body").text
    assert scenarios.load(name).question in text
    titles = [each.text for each in browser.find_elements(By.CSS_SELECTOR, "figcaption b")]
    for title in (
        *("Users", "Requests per second", "Response time", "Pools, as they say"),
        *("Waiting", "Sessions on the server"),
    ):
        assert title in titles
    assert ("Clients of PgBouncer" in titles) == (name == "beyond_one_machine")
    shown = browser.find_elements(By.CSS_SELECTOR, ".criteria tbody th")
    assert [each.text for each in shown] == [each.name for each in record(name).criteria]


def test_all_panels_have_one_time_axis_with_the_stages_and_the_disturbances(show: Any) -> None:
    browser = show(record("server_restart"))
    places = browser.execute_script(
        "return [...document.querySelectorAll('.plot')].map((plot) =>"
        " [...plot.querySelectorAll('.band, .cut')].map((e) => e.getBoundingClientRect().x))"
    )
    assert len(places) > 5
    assert len(places[0]) == 4  # two disturbances; begin and end of the stage
    assert all(each == pytest.approx(places[0], abs=0.5) for each in places)
    names = [each.text for each in browser.find_elements(By.CSS_SELECTOR, ".marks text")]
    assert names == ["restart", "crash"]
    assert [each.rect["x"] for each in browser.find_elements(By.CSS_SELECTOR, ".marks text")] == (
        pytest.approx(places[0][:2], abs=3)
    )


def test_the_slider_reads_off_a_moment_in_all_panels(show: Any) -> None:
    browser = show(record("server_restart"))
    slider = browser.find_element(By.CSS_SELECTOR, "input")
    slider.send_keys(Keys.HOME)
    for _ in range(12):
        slider.send_keys(Keys.ARROW_RIGHT)
    assert browser.find_element(By.ID, "second").text == "10"
    read = {
        figure.find_element(By.TAG_NAME, "b").text: [
            each.text for each in figure.find_elements(By.TAG_NAME, "output")
        ]
        for figure in browser.find_elements(By.TAG_NAME, "figure")
    }
    assert read["Users"] == [""]  # it has no point near there
    assert read["Requests per second"] == ["40", "0"]
    assert read["Pools, as they say"] == ["3", "1", "1"]
    assert read["Sessions on the server"] == ["4", "3", "4"]


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_cut_off_at_the_side(width: int, show: Any) -> None:
    wide = "return document.documentElement.scrollWidth"
    assert show(FAILED, width=width).execute_script(wide) <= width
    several = [record(name) for name in scenarios.NAMES]
    assert show(*several, width=width).execute_script(wide) <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "selector", ["h1", ".facts dt", ".keys li", "th", "td", ".list b", ".unit"]
)
def test_text_has_the_contrast_that_wcag_asks_for(selector: str, scheme: str, show: Any) -> None:
    found = show(FAILED, scheme=scheme).execute_script(CONTRAST, selector)
    assert found and min(found) >= 4.5, found


def test_the_summary_leads_to_each_report_and_says_which_failed(show: Any) -> None:
    browser = show(record("spike"), FAILED, record("soak"))
    assert browser.find_element(By.TAG_NAME, "h1").text == "1 of 3 scenarios failed"
    links = browser.find_elements(By.CSS_SELECTOR, "tbody a")
    assert [each.get_attribute("href").rpartition("/")[2] for each in links] == [
        *("spike.html", "server_restart.html", "soak.html")
    ]
    (row,) = browser.find_elements(By.CSS_SELECTOR, "tr.failed + .told")
    assert "FAILED: errors in the suite itself, load to the end" in row.text
