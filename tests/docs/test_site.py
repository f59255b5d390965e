"""The site of docs/, as ``tox -e docs`` has just made it: its links, and its pages in a browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from ..harness.chromium import look
from ..harness.conftest import browser as browser
from ..scripts import ROOT

SITE = ROOT / "site"
SOURCES = [*ROOT.glob("docs/*.md"), *ROOT.glob("*.md")]
PAGES = sorted(SITE.rglob("*.html"))


def made(source: Path) -> Path:
    return SITE / source.relative_to(ROOT).with_suffix(".html")


class Link(NamedTuple):
    tag: str
    address: str


class Page(HTMLParser):
    """The links and the ids of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[Link] = []
        self.ids: set[str] = set()
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.ids.add(value)
            elif name in ("href", "src", "srcset", "data", "poster", "action") and value:
                self.links.append(Link(tag, value))


@pytest.fixture(scope="module")
def pages() -> dict[Path, Page]:
    assert PAGES, "tox -e docs makes them"
    return {path: Page(path) for path in PAGES}


def links(pages: dict[Path, Page]) -> Iterator[tuple[Path, Link]]:
    for path, page in pages.items():
        for link in page.links:
            yield path, link


def is_external(link: Link) -> bool:
    return bool(urlsplit(link.address).scheme or urlsplit(link.address).netloc)


def test_the_site_is_that_of_these_sources() -> None:
    for source in SOURCES:
        page = made(source)
        assert page.exists() and page.stat().st_mtime >= source.stat().st_mtime, "tox -e docs"
    assert set(PAGES) - set(map(made, SOURCES)) == {SITE / "index.html", SITE / "search.html"}


def test_each_link_within_the_site_leads_to_something(pages: dict[Path, Page]) -> None:
    broken = []
    for path, link in links(pages):
        if is_external(link):
            continue
        parts = urlsplit(link.address)
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        there = pages.get(target)
        if not target.is_file() or (
            parts.fragment and there and unquote(parts.fragment) not in there.ids
        ):
            broken.append(f"{path.relative_to(SITE)}: {link.address}")
    assert broken == []


def test_each_link_to_elsewhere_is_well_formed_and_loads_nothing(pages: dict[Path, Page]) -> None:
    elsewhere = [(path, link) for path, link in links(pages) if is_external(link)]
    assert len(elsewhere) > 20
    for path, link in elsewhere:
        parts = urlsplit(link.address)
        assert link.tag == "a", f"{path}: {link} would be loaded"
        assert parts.scheme == "https" and re.fullmatch(r"([\w-]+\.)+[a-z]{2,}", parts.netloc), link
        assert not re.search(r"[\s<>\"]", link.address), link


def test_no_style_loads_anything_from_elsewhere() -> None:
    styles = [*SITE.rglob("*.css"), *SITE.rglob("*.svg"), *PAGES]
    assert len(styles) > len(PAGES) + 10
    for path in styles:
        text = path.read_text("utf-8")
        assert "@import" not in text, path
        for address in re.findall(r"url\(\s*['\"]?([^'\")]*)", text):
            assert not urlsplit(address).netloc, f"{path}: {address}"


def show(browser: Any, page: str, width: int = 1280, scheme: str = "light") -> None:
    look(browser, width, scheme)
    for kind in ("browser", "performance"):
        browser.get_log(kind)  # so far
    browser.get(f"{SITE.as_uri()}/{page}")


def requested(browser: Any) -> list[str]:
    """The addresses that the page, and what it has loaded, has asked for."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [
        str(each["params"]["request"]["url"])
        for each in messages
        if each["method"] == "Network.requestWillBeSent"
    ]


@pytest.mark.parametrize("page", [path.relative_to(SITE).as_posix() for path in PAGES])
def test_a_page_asks_for_nothing_elsewhere_and_fits(page: str, browser: Any) -> None:
    for width, scheme in ((1280, "light"), (390, "dark")):
        show(browser, page, width, scheme)
        asked = requested(browser)
        assert asked, "nothing was seen"
        assert [url for url in asked if not url.startswith((SITE.as_uri(), "data:"))] == []
        assert list(browser.get_log("browser")) == []
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        pictures = "return [...document.images].filter((e) => !e.naturalWidth).map((e) => e.src)"
        assert browser.execute_script(pictures) == []


def test_the_first_page_leads_to_the_others(browser: Any) -> None:
    show(browser, "index.html")
    WebDriverWait(browser, 10).until(lambda one: one.current_url.endswith("docs/index.html"))
    navigation = browser.find_elements(By.CSS_SELECTOR, ".sidebar-tree a")
    named = {each.get_attribute("href").partition("#")[0] for each in navigation}
    others = {*ROOT.glob("docs/*.md"), ROOT / "README.md"} - {ROOT / "docs" / "index.md"}
    assert {made(source).as_uri() for source in others} <= named


def test_a_search_finds_pages(browser: Any) -> None:
    show(browser, "search.html?q=PoolTimeout")
    page = (By.CSS_SELECTOR, '#search-results a[href*="docs/troubleshooting.html"]')
    WebDriverWait(browser, 20).until(lambda one: one.find_elements(*page))


# -- the calculator


@pytest.fixture
def calculator(browser: Any) -> Any:
    """Fill in some fields; what the calculator with them answers."""
    show(browser, "docs/sizing.html")

    def fill(**given: object) -> str:
        for name, value in given.items():
            field = browser.find_element(By.NAME, name.replace("_", "-"))
            field.send_keys(Keys.CONTROL, "a", Keys.NULL, Keys.BACKSPACE, str(value))
        form = field.find_element(By.XPATH, "./ancestor::form")
        return str(form.find_element(By.TAG_NAME, "output").text)

    return fill


def test_the_calculator_knows_the_example_of_the_page(calculator: Any) -> None:
    answer = calculator(max_conns=20, workers=4, machines=3, generations=1, limit=100, reserved=3)
    assert "may open 240 connections" in answer and "room for 87" in answer
    assert "may open 480 connections" in calculator(generations=2)
    assert "does not fit; MAX_CONNS 3 does" in calculator(generations=2)
    assert calculator(rate=50, held=40) == (
        "On average 2 are held; MAX_CONNS 5 has room for peaks."
    )


@pytest.mark.parametrize(
    ("max_conns", "limit", "says"),
    [
        (7, 100, "It fits."),
        (7, 97, "It fits."),
        (7, 96, "MAX_CONNS 6 does"),
        (8, 100, "MAX_CONNS 7 does"),
        (1, 24, "Not even one for each process fits"),
        (1, 5, "there is room for 0"),
        (0, 100, "may open 0 connections"),
    ],
)
def test_the_calculator_at_its_limits(
    max_conns: int, limit: int, says: str, calculator: Any
) -> None:
    processes = {"workers": 12, "machines": 1, "generations": 1}
    assert says in calculator(max_conns=max_conns, limit=limit, reserved=3, others=10, **processes)


@pytest.mark.parametrize("value", ["", "-1", "4.5", "many", "1e9"])
def test_the_calculator_takes_whole_numbers_only(value: str, calculator: Any) -> None:
    assert calculator(workers=value) == "Whole numbers, please."


# -- the picture of the states


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_picture_can_be_read_in_light_and_dark(scheme: str, browser: Any) -> None:
    picture = next((SITE / "_images").glob("connection*.svg")).relative_to(SITE).as_posix()
    show(browser, picture, scheme=scheme)
    colours = {
        name: browser.execute_script(
            "return getComputedStyle(document.querySelector(arguments[0])).fill", selector
        )
        for name, selector in {
            "paper": ".paper",
            "box": ".state:not(.empty)",
            "text": "text.name",
            "mark": ".mark",
            "number": ".number",
        }.items()
    }
    lightness = {name: light(colour) for name, colour in colours.items()}
    assert (lightness["paper"] > 0.5) == (scheme == "light")
    for one, other in (("text", "paper"), ("text", "box"), ("number", "mark")):
        assert contrast(lightness[one], lightness[other]) >= 4.5, (one, other, colours)


def light(colour: str) -> float:
    """https://www.w3.org/TR/WCAG22/#dfn-relative-luminance"""
    channels = [int(each) / 255 for each in re.findall(r"\d+", colour)[:3]]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: float, other: float) -> float:
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)
