"""The tab of Locust's web interface that shows the pool, in a real browser.

It needs chromium and its driver (Debian: ``apt install chromium chromium-driver``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from demo import run
from matrix import postgres
from tests.tasks import until

from .locust_tab import TIMEOUT, begin, open_tab, status, swarm, web_interface
from .test_loadtests import another_site

MAX_CONNS = 8

#: What the page says, all of one moment.
SHOWN = """
const text = (node) => node?.textContent ?? "";
const figures = [...document.querySelectorAll("#pool-default .figures > div")].map(
  (each) => [text(each.querySelector("dt")), text(each.querySelector("dd b"))]);
const sessions = [...document.querySelectorAll("#the-server tbody tr")].map(
  (row) => [...row.cells].slice(2, 4).map(text).join(", "));
const summary = text(document.querySelector("#the-server .summary"));
return { ...Object.fromEntries(figures), sessions, summary };
"""


@pytest.fixture(scope="module")
def site(database: postgres.Server) -> Iterator[str]:
    environ = {"DEMO_WORKERS": "1", "DEMO_MAX_CONNS": str(MAX_CONNS)}
    with run.site(database_url=database.url, environ=environ) as url:
        yield url


@pytest.fixture
def blank(browser: Any) -> Iterator[Any]:
    """The browser, left without a page: one that is open asks on, and complains of no answer."""
    browser.get_log("browser")  # so far
    yield browser
    browser.switch_to.default_content()
    browser.get("about:blank")


@pytest.fixture(scope="module")
def quiet(database: postgres.Server, site: str) -> Iterator[str]:
    """A web interface whose tests have not begun, and a site that has been used."""
    with web_interface(database, site) as url:
        requests.get(f"{site}/products/", timeout=TIMEOUT).raise_for_status()
        yield url


@pytest.mark.parametrize(
    ("arguments", "base"),
    [([], ""), (["--processes", "1"], "/under/here")],
    ids=["alone", "a master with a worker"],
)
def test_the_tab_shows_what_the_pool_and_the_server_say_of_the_same_moment(
    blank: Any, database: postgres.Server, site: str, arguments: list[str], base: str
) -> None:
    browser, wait = blank, WebDriverWait(blank, TIMEOUT)
    with ExitStack() as stack:
        locust = stack.enter_context(web_interface(database, site, *arguments, base=base))
        begin(browser, locust, users=20)
        open_tab(browser)

        # Now whatever asks for a product waits, with its connection, for as long as this is locked.
        lock = stack.enter_context(psycopg.connect(database.url))
        lock.execute("LOCK TABLE shop_product")

        shown: dict[str, Any] = {}

        def is_stuck(_: Any) -> bool:
            shown.update(browser.execute_script(SHOWN))
            return bool(shown["sessions"] == ["active, Lock: relation"] * MAX_CONNS)

        wait.until(is_stuck, shown)
        assert shown["in use"] == str(MAX_CONNS)
        counted = f"{MAX_CONNS} sessions on the server ({MAX_CONNS} active, 0 idle,"
        assert shown["summary"].startswith(counted)
        assert shown["summary"].endswith(f"{MAX_CONNS} open in the pools: the same.")

        lock.rollback()
        wait.until(lambda _: "Lock: relation" not in str(browser.execute_script(SHOWN)))
        assert browser.get_log("browser") == []


def test_the_server_is_sampled_from_the_start_of_a_test_although_nobody_looks(
    database: postgres.Server, site: str
) -> None:
    questions = set()
    with (
        web_interface(database, site) as locust,
        psycopg.connect(database.url, autocommit=True) as connection,
    ):

        def are_asked_for(seconds: float) -> bool:
            """Questions for single sessions, that is; the verdict asks for sums."""
            questions.update(
                connection.execute(
                    "SELECT extract(epoch FROM query_start), pid FROM pg_stat_activity "
                    "WHERE application_name = 'loadtests-sampler' AND query LIKE '%state_change%'"
                )
            )
            return bool(questions) and max(questions)[0] - min(questions)[0] > seconds

        are_asked_for(0)
        assert not questions
        swarm(locust)
        until(lambda: are_asked_for(2))
        assert len(status(locust)["server"]["samples"]) >= 2
        are_asked_for(0)
        assert len({pid for _, pid in questions}) == 1


def test_the_sites_sessions_are_told_without_what_they_are_asked(
    database: postgres.Server, quiet: str
) -> None:
    with psycopg.connect(database.url, application_name="somebody else"):
        server = status(quiet)["server"]
    assert server["max_connections"] > 0
    assert server["states"]["idle"] == len(server["sessions"]) > 0
    for session in server["sessions"]:
        assert session.keys() == {"pid", "application", "state", "wait", "seconds"}
        assert session["application"].startswith("shop-")


def test_without_the_server_there_are_the_figures_of_the_site(
    blank: Any, database: postgres.Server, quiet: str
) -> None:
    wait = WebDriverWait(blank, TIMEOUT)
    words = "not currently accepting connections"
    blank.get(f"{quiet}/pool/")
    wait.until(lambda _: blank.execute_script(SHOWN)["sessions"])
    with psycopg.connect(database.url, dbname="postgres", autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {database.dbname} ALLOW_CONNECTIONS false")
        try:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'loadtests-sampler'"
            )
            wait.until(lambda _: words in blank.execute_script(SHOWN)["summary"])
            told = status(quiet)
        finally:
            connection.execute(f"ALTER DATABASE {database.dbname} ALLOW_CONNECTIONS true")
        assert told["server"].keys() == {"error", "samples"}
        assert "default" in told["totals"]
        wait.until(lambda _: words not in blank.execute_script(SHOWN)["summary"])
    assert blank.get_log("browser") == []


def test_the_tab_follows_the_host_and_says_why_there_are_no_figures(
    blank: Any, database: postgres.Server, site: str, tmp_path: Path
) -> None:
    about = tmp_path / "about" / "index.html"
    about.parent.mkdir()
    about.write_text(requests.get(f"{site}/about/", timeout=TIMEOUT).text)
    with web_interface(database, site) as locust, another_site(tmp_path) as bare:
        for host, words in (
            ("http://127.0.0.1:1", "No site answers at http://127.0.0.1:1"),
            (bare, f"tells of no pools at {bare}/pool/status.json (File not found)"),
        ):
            swarm(locust, host=host)
            assert words in status(locust)
            blank.get(f"{locust}/pool/")
            WebDriverWait(blank, TIMEOUT).until(
                lambda _, words=words: words in blank.find_element(By.TAG_NAME, "body").text
            )
        swarm(locust, host=site)
        assert "totals" in status(locust)


def test_whoever_has_not_logged_in_sees_as_little_as_of_locust_itself(
    database: postgres.Server, site: str, tmp_path: Path
) -> None:
    login = tmp_path / "login.py"
    login.write_text(
        "from locust import events\n"
        "@events.init.add_listener\n"
        "def init(web_ui, **_):\n"
        "    web_ui.app.secret_key = 'of a test'\n"
        "    web_ui.login_manager.user_loader(lambda _: None)\n"
    )
    with web_interface(database, site, "-f", f"loadtests,{login}", "--web-login") as locust:

        def answer(path: str) -> tuple[int, str]:
            got = requests.get(f"{locust}{path}", allow_redirects=False, timeout=TIMEOUT)
            return got.status_code, got.headers.get("Location", "").partition("?")[0]

        expected = answer("/stats/requests")
        assert expected == (302, "/login")
        for path in ("/pool/", "/pool/page.js", "/pool/status.json"):
            assert answer(path) == expected
