"""The live page of the pools in a real browser, as a person reads it: ``tox -e harness``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from . import made_up_status as made_up
from .chromium import CONTRAST, look
from .made_up import EVIL
from .made_up_site import Site
from .made_up_status import AT, Json


@pytest.fixture
def site() -> Iterator[Site]:
    one = Site()
    yield one
    one.end()


@pytest.fixture
def show(browser: Any, site: Site) -> Iterator[Callable[..., Any]]:
    """Open the page of these figures, as wide, in light or dark; the browser."""

    def open_(status: Json, width: int = 1280, scheme: str = "light") -> Any:
        site.status = status
        look(browser, width, scheme)
        browser.get("about:blank")
        for kind in ("browser", "performance"):
            browser.get_log(kind)  # so far
        browser.get(site.url)
        until(browser, lambda: text(browser, "#clock") == "live 02:53:21 UTC")
        return browser

    browser.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": "UTC"})
    yield open_
    browser.get("about:blank")


def until(browser: Any, condition: Callable[[], Any]) -> Any:
    return WebDriverWait(browser, 20, poll_frequency=0.05).until(lambda _: condition())


def text(browser: Any, selector: str) -> str:
    return str(browser.find_element(By.CSS_SELECTOR, selector).text)


def texts(browser: Any, selector: str) -> list[str]:
    return [each.text for each in browser.find_elements(By.CSS_SELECTOR, selector)]


def headline(browser: Any) -> str:
    return text(browser, "#headline")


def figures(browser: Any) -> dict[str, str]:
    """The large ones, by their names."""
    found = (each.split("\n") for each in texts(browser, ".figures > div"))
    return {name: " ".join(value) for name, *value in found}


def rows(browser: Any, block: str) -> list[list[str]]:
    """The cells of a table's rows."""
    cells = "return [...document.querySelectorAll(arguments[0])].map((row) =>"
    cells += " [...row.children].map((cell) => cell.innerText.replaceAll('\\n', ' ').trim()))"
    found: list[list[str]] = browser.execute_script(cells, f"{block} > * > table > tbody > tr")
    return found


def some_seconds(browser: Any, seconds: float = 2.5) -> None:
    """Of the page's own clock: whatever it had planned until then has happened."""
    browser.execute_async_script(f"setTimeout(arguments[0], {seconds * 1000})")


EXHAUSTED = made_up.status(made_up.workers(made_up.exhausted, threshold=made_up.THRESHOLD))
QUIET = made_up.status(made_up.workers(made_up.quiet))
BUSY = made_up.status(made_up.workers(made_up.busy))
DOWN = made_up.status(made_up.workers(made_up.down))
WITH_SERVER = made_up.status(made_up.workers(made_up.busy), server=made_up.server())
MANY = made_up.status(
    [
        *made_up.workers(made_up.quiet, 31),
        made_up.process(6000, {"default": made_up.pool(made_up.exhausted, threshold=10.0)}),
    ]
)
TWO = made_up.status(
    [
        made_up.process(
            4711,
            {"default": made_up.pool(made_up.quiet), "reporting": made_up.pool(made_up.exhausted)},
        )
    ]
)


def with_silent(
    age: float = 37.2, story: made_up.Story = made_up.quiet, threshold: float | None = None
) -> Json:
    pool = made_up.pool(story, age=age, threshold=threshold)
    silent = made_up.process(4712, {"default": pool}, age=age)
    return made_up.status([*made_up.workers(made_up.quiet, 1), silent])


KILLED = made_up.status(
    made_up.workers(made_up.quiet, 1),
    [
        made_up.ended(4720, 94.4, made_up.exhausted, is_last=False, silent=92.0),
        made_up.ended(4721, 190.0, made_up.exhausted, is_last=False),
        made_up.ended(4722, 180.0, made_up.quiet, is_last=False),
        made_up.ended(4723, 200.0, made_up.busy),  # that held one to its end
    ],
)


ALL = {
    "killed": KILLED,
    "exhausted": EXHAUSTED,
    "quiet": QUIET,
    "down": DOWN,
    "silent": with_silent(),
    "many": MANY,
    "two": TWO,
    "server": WITH_SERVER,
    "none": made_up.status([]),
}


# What it says.


def test_an_exhausted_pool_is_told_of_in_one_sentence(show: Any) -> None:
    browser = show(EXHAUSTED)
    assert headline(browser) == (
        "Exhausted: 24 of 24 connections in use, 30 waiting; "
        "the longest holder is GET /reports/monthly/ for 41 s."
    )
    assert browser.find_element(By.ID, "verdict").get_attribute("class") == "alarm"
    assert browser.title.startswith("Exhausted: 24 of 24 connections in use, 30 waiting")
    assert texts(browser, "#findings li")[:3] == [
        "Since 02:52:42, for 39 s by now, in all 3 processes.",
        "12 of 24 are held by GET /reports/monthly/, the longest at "
        "srv/shop/reports.py:153 in monthly.",
        "9 callers got a PoolTimeout in the last 5 minutes, the last at 02:53:19.",
    ]
    assert figures(browser)["in use"] == "24 of 24"
    assert figures(browser)["waiting"] == "30 up to 30 in 5 min"


def test_a_quiet_pool_is_fine(show: Any) -> None:
    browser = show(QUIET)
    in_use = sum(each["pools"]["default"]["stats"]["in_use"] for each in QUIET["processes"])
    assert headline(browser) == f"Fine: {in_use} of 24 connections in use, nobody is waiting."
    assert browser.find_element(By.ID, "verdict").get_attribute("class") == "fine"
    assert texts(browser, "#findings li") == []


def test_one_exhausted_process_of_many_is_named_and_comes_first(show: Any) -> None:
    browser = show(MANY)
    assert headline(browser).startswith(
        "Exhausted in 1 of 32 processes: 8 of 8 connections in use, 10 waiting; "
    )
    assert texts(browser, "#findings li")[0].endswith("in 1 of 32 processes: gunicorn 6000.")
    names = [row[0].removesuffix(" up 3 h 3 min") for row in rows(browser, ".processes")]
    assert names == ["gunicorn 6000", *(f"gunicorn {4711 + each}" for each in range(31))]


def test_a_silent_process_is_said_to_be_blocked_and_what_it_holds_not_to_be_known(
    show: Any,
) -> None:
    browser = show(with_silent())
    assert headline(browser) == (
        "1 of 2 processes is silent: gunicorn 4712 for 37 s. "
        "Its hub is blocked, or stopped; what is held there is not known."
    )
    (note,) = texts(browser, "#findings li")
    assert note.startswith("The others: ") and " of 8 connections in use" in note
    assert figures(browser)["idle"].endswith("8 not heard of")
    name, slots, _, checkouts, _ = rows(browser, ".processes")[0]
    assert name == "gunicorn 4712 silent for 37 s"
    assert slots.startswith("at last ") and checkouts == "–"
    assert "8 not heard of" in texts(browser, ".legend")[1]


def test_what_a_silent_process_held_and_was_waiting_for_is_told_as_nothing_of_now(
    show: Any,
) -> None:
    browser = show(with_silent(story=made_up.exhausted, threshold=10.0))
    assert headline(browser).startswith("1 of 2 processes is silent")
    assert figures(browser)["waiting"].split()[0] == "0"
    assert not any("LEAK_THRESHOLD" in each for each in texts(browser, "#findings li"))


def test_a_process_that_was_killed_at_work_is_the_first_thing_to_know_for_a_minute(
    show: Any,
) -> None:
    browser = show(KILLED)
    assert headline(browser) == (
        "gunicorn 4720 ended without a last word; when last heard of, at 02:51:47, "
        "it had 8 connections in use and 10 waiting. Was it killed?"
    )
    assert browser.find_element(By.ID, "verdict").get_attribute("class") == "warn"
    earlier, idle = [each for each in texts(browser, "#findings li") if "ended" in each]
    assert earlier.startswith(
        "gunicorn 4721 ended without a last word; when last heard of, at 02:50:11"
    )
    assert idle == (
        "2 processes ended in the last 5 minutes, the last at 02:50:21: "
        "gunicorn 4722, gunicorn 4723."
    )


def test_the_last_minutes_of_a_process_that_has_ended_stay_in_the_charts(show: Any) -> None:
    ended = made_up.ended(4720, 90.0, made_up.exhausted)
    browser = show(made_up.status(made_up.workers(made_up.quiet, 1), [ended]))
    assert headline(browser).startswith("Fine: ") and " of 8 connections" in headline(browser)
    assert figures(browser)["waiting"] == "0 up to 10 in 5 min"
    assert figures(browser)["timeouts"] == "3 in 5 min"
    assert len(rows(browser, ".processes")) == 1
    assert not any("not heard of" in each for each in texts(browser, ".legend"))
    assert "Nobody waits now; in the last 5 minutes up to 10 did, the last at 02:51:53." in texts(
        browser, "#findings li"
    )


def test_however_many_were_killed_all_are_told_of_the_latest_first(show: Any) -> None:
    ended = [
        made_up.ended(4720 + each, 12.0 + each, made_up.exhausted, is_last=False)
        for each in range(5)
    ]
    browser = show(made_up.status([], ended))
    found = [headline(browser), *texts(browser, "#findings li")]
    killed = [each.partition(" ended")[0] for each in found if "Was it killed?" in each]
    assert killed == ["gunicorn 4720", "gunicorn 4721", "gunicorn 4722"]
    assert "So did 2 other processes." in found


def test_what_ended_last_is_told_of_whichever_pool_it_had(show: Any) -> None:
    early, late = made_up.ended(4720, 200.0), made_up.ended(4721, 20.0)
    early["pools"] = {"other": early["pools"]["default"]}
    browser = show(made_up.status(made_up.workers(made_up.quiet, 1), [early, late]))
    assert (
        "2 processes ended in the last 5 minutes, the last at 02:53:01: "
        "gunicorn 4721, gunicorn 4720." in texts(browser, "#findings li")
    )


def test_where_every_process_has_ended_it_says_so(show: Any) -> None:
    browser = show(made_up.status([], [made_up.ended(4720, 200.0)]))
    assert headline(browser) == "Every process that had a pool has ended."


def test_where_processes_cannot_tell_each_other_it_says_so(show: Any) -> None:
    trouble = "[Errno 28] No space left on device"
    browser = show(made_up.status(made_up.workers(made_up.quiet, 1), trouble=trouble))
    assert headline(browser) == (
        "Not every process may be shown: they cannot tell each other what they have "
        "([Errno 28] No space left on device)."
    )


def test_a_process_that_is_a_little_late_is_not_called_silent(show: Any) -> None:
    assert headline(show(with_silent(age=4.5))).startswith("Fine: ")


def test_failing_connects_are_the_first_thing_to_know(show: Any) -> None:
    browser = show(DOWN)
    assert headline(browser) == (
        "Connects are failing: 150 in the last 5 minutes, the last at 02:53:21. Is the server up?"
    )
    assert figures(browser)["failed connects"] == "150 in 5 min"
    assert any(
        "waiting for a connection, though" in each for each in texts(browser, "#findings li")
    )


def test_several_pools_are_told_apart(show: Any) -> None:
    browser = show(TWO)
    assert headline(browser).startswith("Pool reporting: exhausted: 8 of 8 connections in use")
    first, second = texts(browser, "#tiles a")
    assert first.startswith("default ") and second == "reporting 8 of 8 in use, 10 waiting"
    assert texts(browser, ".pool h2") == ["default", "reporting"]
    browser.find_element(By.LINK_TEXT, second).click()
    heading = browser.find_elements(By.CSS_SELECTOR, ".pool h2")[1]
    top = "return arguments[0].getBoundingClientRect().top"
    until(browser, lambda: 0 <= browser.execute_script(top, heading) < 200)


def test_before_the_first_query_there_is_no_pool(show: Any) -> None:
    browser = show(made_up.status([]))
    assert headline(browser) == "No pool has been used yet: the first query opens one."
    assert texts(browser, ".pool") == []


def test_holders_of_all_processes_are_there_longest_first_with_where_they_are(show: Any) -> None:
    browser = show(EXHAUSTED)
    browser.find_element(By.XPATH, "//button[text()='Show all 24']").click()
    found = rows(browser, ".holders")
    seconds = [
        holder["seconds"]
        for process in EXHAUSTED["processes"]
        for holder in process["pools"]["default"]["holders"]
    ]
    assert len(found) == len(seconds) == 24
    first, last = found[0], found[-1]
    assert first == [
        "longer than LEAK_THRESHOLD: 41 s",
        "GET /reports/monthly/ Greenlet-11",
        "gunicorn 4711",
        "srv/shop/reports.py:153 in monthly",
    ]
    assert last[0] == f"{min(seconds):.1f} s"
    (stack, *_) = browser.find_elements(By.CSS_SELECTOR, ".holders pre")
    assert not stack.is_displayed()
    browser.find_elements(By.CSS_SELECTOR, ".holders summary")[0].click()
    assert stack.is_displayed() and "rows = list(Order.objects.all())" in stack.text


def test_who_holds_most_is_whoever_holds_many_or_for_long(show: Any) -> None:
    assert rows(show(EXHAUSTED), ".groups") == [
        ["GET /reports/monthly/ srv/shop/reports.py:153 in monthly", "12", "41 s"],
        ["POST /orders/ srv/shop/orders.py:41 in place", "12", "11 s"],
    ]


def test_without_leak_threshold_it_says_what_would_tell_where(show: Any) -> None:
    browser = show(BUSY)
    assert text(browser, ".holders > div").endswith(
        "Set LEAK_THRESHOLD to see where in the code each of them is."
    )
    assert texts(browser, ".holders summary:not([hidden] *)") == []


def test_percentiles_are_upper_ends_of_buckets(show: Any) -> None:
    status = made_up.status(made_up.workers(made_up.quiet, 1))
    counts = [90, 5, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 1]
    status["totals"]["default"]["stats"]["wait_time"] = {"counts": counts, "total": 40.0}
    browser = show(status)
    summary = text(browser, ".histogram .summary").replace("\xa0", " ")
    assert summary == "p50 ≤ 1 ms · p95 ≤ 2 ms · p99 ≤ 500 ms · mean 400 ms"
    table = rows(browser, ".histograms")[:15]
    assert [int(row[2]) for row in table] == counts
    assert [row[1] for row in table if row[1]] == ["p50", "p95", "p99"]
    stats = status["totals"]["default"]["stats"]
    assert f"100 of {stats['checkouts']:,} checkouts had to wait" in text(browser, ".histogram")


def test_what_took_longer_than_the_last_bucket_has_no_upper_end(show: Any) -> None:
    status = made_up.status(made_up.workers(made_up.quiet, 1))
    status["totals"]["default"]["stats"]["wait_time"] = {"counts": [0] * 14 + [3], "total": 99.0}
    summary = text(show(status), ".histogram .summary").replace("\xa0", " ")
    assert summary == "p50 > 30 s · p95 > 30 s · p99 > 30 s · mean 33 s"


def test_the_past_can_be_that_since_the_page_was_opened(show: Any, site: Site) -> None:
    browser = show(QUIET)
    counters = ".counters dd b"
    before = texts(browser, counters)[0]
    browser.find_element(By.CSS_SELECTOR, ".past input").click()
    assert texts(browser, counters)[0] == "0"
    later = json.loads(json.dumps(QUIET))
    stats = later["totals"]["default"]["stats"]
    stats["checkouts"] += 5
    stats["discards"]["gone"] += 2
    stats["use_time"]["counts"][3] += 5
    stats["use_time"]["total"] += 0.05
    site.status = later
    until(browser, lambda: texts(browser, counters)[0] == "5")
    assert "closed: gone\n2" in text(browser, ".counters")
    summary = texts(browser, ".histogram .summary")[1].replace("\xa0", " ")
    assert summary == "p50 ≤ 10 ms · p95 ≤ 10 ms · p99 ≤ 10 ms · mean 10 ms"
    browser.find_element(By.CSS_SELECTOR, ".past input").click()
    assert int(texts(browser, counters)[0].replace(",", "")) == int(before.replace(",", "")) + 5


# The charts.


def moment(browser: Any, seconds_ago: int) -> str:
    """What the charts say of then, as it is read aloud."""
    slider = browser.find_element(By.CSS_SELECTOR, ".slider")
    browser.execute_script(
        "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))",
        slider,
        -seconds_ago,
    )
    return str(slider.get_attribute("aria-valuetext"))


def sample(at: float, in_use: int, checkouts: int) -> list[float]:
    return [at, in_use, 1, 0, 0, 2, checkouts, 0, 0, 0]


def test_a_second_is_the_sum_of_each_process_last_sample(show: Any) -> None:
    status = made_up.status(made_up.workers(made_up.quiet, 2))
    one, other = (each["pools"]["default"] for each in status["processes"])
    one["samples"] = [sample(AT - 5.5, 3, 100), sample(AT - 4.5, 4, 110), sample(AT - 3.5, 5, 130)]
    other["samples"] = [sample(AT - 5.2, 1, 70), sample(AT - 3.7, 2, 73), sample(AT - 0.4, 1, 80)]
    browser = show(status)
    # Seconds end at 02:53:22, the one that is under way: three ago is what was until 02:53:19.
    assert "4 waiting; 5 in use, 0 opening or closing, 2 idle" in moment(browser, 5)
    assert "7 in use" in moment(browser, 3)
    assert "0 after a wait, 22 in all" in moment(browser, 3)  # 20 in one second, 3 in 1.5
    # The first one has not been heard of for more than 2.5 s: what it has is not known.
    assert "1 in use, 0 opening or closing, 1 idle, 8 not heard of, 16 MAX_CONNS" in moment(
        browser, 0
    )
    assert "– in use" in moment(browser, 20)


def test_keys_and_the_pointer_read_what_was_then(show: Any) -> None:
    browser = show(EXHAUSTED)
    slider = browser.find_element(By.CSS_SELECTOR, ".slider")
    assert slider.accessible_name == "Pool default: a moment of the last 5 minutes"
    for _ in range(60):
        slider.send_keys(Keys.ARROW_LEFT)
    until(browser, lambda: text(browser, ".moment") == "02:52:22, 60 s ago")
    assert slider.get_attribute("aria-valuetext").startswith("02:52:22: 0 waiting; ")
    assert "0 waiting" in text(browser, ".legend")
    chart = browser.find_element(By.CSS_SELECTOR, ".chart")
    ActionChains(browser).move_to_element_with_offset(
        chart, chart.size["width"] // 2 - 3, 0
    ).perform()
    until(browser, lambda: "30 waiting" in text(browser, ".legend"))


def test_the_charts_are_in_a_table_too(show: Any) -> None:
    browser = show(EXHAUSTED)
    browser.find_element(By.CSS_SELECTOR, ".minutes summary").click()
    until(browser, lambda: rows(browser, ".minutes"))
    newest, *others = rows(browser, ".minutes")
    assert newest[:3] == ["02:53:00", "30", "24"] and len(others) == 9


def test_states_differ_by_more_than_their_colours(show: Any) -> None:
    browser = show(EXHAUSTED)
    fills = {
        state: browser.execute_script(
            "return getComputedStyle(document.querySelector(arguments[0])).fill",
            f".chart .paint.{state}",
        )
        for state in ("in_use", "changing", "idle", "unknown", "failed_connects")
    }
    assert fills.pop("in_use").startswith("rgb")
    assert sorted(fills.values()) == sorted(f'url("#{state}")' for state in fills)


def test_the_servers_own_count_is_shown_where_somebody_asks_it(show: Any) -> None:
    browser = show(WITH_SERVER)
    assert "13 on the server" in texts(browser, ".legend")[1]
    summary = text(browser, ".server .summary")
    assert summary.startswith(
        "13 sessions on the server (5 active, 7 idle, 1 idle in transaction; max_connections 100)"
    )
    assert len(rows(browser, ".sessions")) == 12
    assert rows(browser, ".sessions")[0][1:] == ["shop-4713", "idle", "Client: ClientRead", "2.2 s"]


def test_without_the_servers_count_nothing_is_said_of_it(show: Any) -> None:
    browser = show(BUSY)
    assert browser.find_elements(By.CSS_SELECTOR, ".server .summary") == []
    assert "on the server" not in text(browser, "main") + moment(browser, 0)


# How it stays alive.


def test_without_an_answer_the_last_figures_are_kept_until_there_is_one(
    show: Any, site: Site
) -> None:
    browser = show(EXHAUSTED)
    site.end()
    until(browser, lambda: "the last figures are kept." in text(browser, "#trouble"))
    # It says so as soon as it knows, and then for how long.
    until(browser, lambda: text(browser, "#complaint").startswith("No answer for 2 s"))
    assert text(browser, "#clock") == "figures of 02:53:21 UTC"
    assert headline(browser).startswith("Exhausted: 24 of 24")
    assert browser.title.startswith("No answer")
    site.status = QUIET
    site.begin()
    until(browser, lambda: headline(browser).startswith("Fine: "))
    assert not browser.find_element(By.ID, "trouble").is_displayed()


def test_a_proxy_that_answers_for_the_site_is_no_answer(show: Any, site: Site) -> None:
    browser = show(QUIET)
    site.code = 502
    until(browser, lambda: "No answer but HTTP 502 for" in text(browser, "#trouble"))
    assert not browser.find_element(By.ID, "login").is_displayed()


def test_whoever_is_not_let_in_any_more_is_told_to_log_in(show: Any, site: Site) -> None:
    browser = show(QUIET)
    site.code = 403
    until(browser, lambda: browser.find_element(By.ID, "login").is_displayed())
    link = browser.find_element(By.LINK_TEXT, "Log in again")
    link.click()
    until(browser, lambda: "there are no figures yet" in text(browser, "#trouble"))
    assert browser.current_url == site.url and site.asked.count("/pool/") == 2


def test_one_request_is_under_way_at_a_time_and_none_for_ever(show: Any, site: Site) -> None:
    browser = show(QUIET)
    site.answers.clear()
    asked = site.asked_for_figures()
    until(browser, lambda: site.asked_for_figures() == asked + 1)
    for _ in range(2):
        browser.find_element(By.ID, "pause").click()  # and on again
    some_seconds(browser, 3)
    assert site.asked_for_figures() == asked + 1
    until(browser, lambda: "No answer for" in text(browser, "#trouble"))
    until(browser, lambda: site.asked_for_figures() == asked + 2)  # somebody else may answer
    site.answers.set()
    until(browser, lambda: not browser.find_element(By.ID, "trouble").is_displayed())


def test_a_pause_keeps_what_is_shown(show: Any, site: Site) -> None:
    browser = show(EXHAUSTED)
    button = browser.find_element(By.ID, "pause")
    button.click()
    until(browser, lambda: text(browser, "#clock") == "figures of 02:53:21 UTC")
    assert button.get_attribute("aria-pressed") == "true"
    asked = site.asked_for_figures()
    site.status = QUIET
    # As when somebody comes back to the tab.
    browser.execute_script("document.dispatchEvent(new Event('visibilitychange'))")
    some_seconds(browser)
    assert site.asked_for_figures() == asked and headline(browser).startswith("Exhausted")
    button.click()
    until(browser, lambda: headline(browser).startswith("Fine"))


def test_while_nobody_looks_it_asks_less_often(show: Any, site: Site) -> None:
    browser = show(QUIET)
    page = browser.current_window_handle
    browser.switch_to.new_window("tab")
    try:
        some_seconds(browser, 1.5)  # what was planned before
        asked = site.asked_for_figures()
        some_seconds(browser, 4)
        assert site.asked_for_figures() <= asked + 1
    finally:
        browser.close()
        browser.switch_to.window(page)
    until(browser, lambda: site.asked_for_figures() > asked + 1)


def test_what_is_open_stays_open_and_in_its_place(show: Any, site: Site) -> None:
    browser = show(EXHAUSTED, width=390)
    row = browser.find_elements(By.CSS_SELECTOR, ".holders tbody tr")[13]
    details, summary = (row.find_element(By.TAG_NAME, name) for name in ("details", "summary"))
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", summary)
    summary.click()
    where = "return [arguments[0].getBoundingClientRect().top, arguments[0].open, scrollY > 0]"
    before = browser.execute_script(where, details)
    later = json.loads(json.dumps(EXHAUSTED))
    del later["processes"][0]["pools"]["default"]["holders"][0]  # far above what is looked at
    for process in later["processes"]:
        process["pools"]["default"]["stats"]["waiting"] += 1
    site.status = later
    until(browser, lambda: "33 waiting" in headline(browser))
    assert len(rows(browser, ".holders")) == 15
    assert browser.find_elements(By.CSS_SELECTOR, ".holders tbody tr")[12] == row
    top, is_open, is_scrolled = browser.execute_script(where, details)
    assert is_open and is_scrolled and abs(top - before[0]) < 2
    assert browser.switch_to.active_element == summary


def test_it_is_read_aloud_when_something_else_is_the_matter_and_not_with_each_number(
    show: Any, site: Site
) -> None:
    browser = show(EXHAUSTED)
    region = browser.find_element(By.ID, "announcement")
    assert region.get_attribute("role") == "status"
    browser.execute_script(
        "window.said = []; new MutationObserver(() => said.push(arguments[0].textContent))"
        ".observe(arguments[0], {childList: true, characterData: true, subtree: true})",
        region,
    )
    later = json.loads(json.dumps(EXHAUSTED))
    later["processes"][0]["pools"]["default"]["stats"]["waiting"] += 1
    site.status = later
    until(browser, lambda: "31 waiting" in headline(browser))
    assert browser.execute_script("return said") == []
    site.status = QUIET
    until(browser, lambda: headline(browser).startswith("Fine"))
    assert browser.execute_script("return said") == [headline(browser)]


# That it may be looked at: by whom, where, and by nobody else.


def test_it_asks_for_nothing_elsewhere_and_a_strict_policy_has_nothing_to_complain_of(
    show: Any, site: Site
) -> None:
    browser = show(WITH_SERVER)
    asked = site.asked_for_figures()
    browser.find_element(By.CSS_SELECTOR, ".minutes summary").click()
    until(browser, lambda: site.asked_for_figures() > asked + 1)
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    requests = {
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    }
    assert f"{site.url}status.json" in requests
    assert all(each.startswith(site.url) and "?" not in each for each in requests)
    assert list(browser.get_log("browser")) == []


def test_a_path_or_a_name_of_somebody_elses_is_text(show: Any) -> None:
    status = made_up.status(made_up.workers(made_up.exhausted, 1, made_up.THRESHOLD))
    (process,) = status["processes"]
    process["program"] = process["host"] = EVIL
    holder = process["pools"]["default"]["holders"][0]
    holder.update(request=f"GET /{EVIL}", name=EVIL, stack=f'  File "/{EVIL}", line 1, in {EVIL}\n')
    status["server"] = made_up.server()
    status["server"]["sessions"][0].update(application=EVIL, state=EVIL, wait=EVIL, seconds=99.0)
    for each in (status["totals"], process["pools"]):
        each[EVIL] = each["default"]
    browser = show(status)
    assert "evil" not in browser.title.split("'")[0] and browser.title != "evil"
    assert f"GET /{EVIL}" in headline(browser)
    assert EVIL in rows(browser, ".sessions")[0]
    assert browser.find_elements(By.CSS_SELECTOR, "img") == []
    assert len(browser.find_elements(By.CSS_SELECTOR, "script")) == 1
    assert list(browser.get_log("browser")) == []


@pytest.mark.parametrize("name", ALL)
def test_nothing_is_cut_off_at_the_side(name: str, show: Any) -> None:
    browser = show(ALL[name])
    for width in (1920, 1280, 1130, 1000, 700, 390, 320):
        look(browser, width, "light")
        until(browser, lambda: browser.execute_script(IS_DRAWN))
        assert browser.execute_script(CUT_OFF, width) == []


# The charts follow a window's size in a turn of their own.
IS_DRAWN = """
return [...document.querySelectorAll(".timeline")].every((each) =>
  Number(each.querySelector(".chart").getAttribute("width")) ===
    Math.floor(each.getBoundingClientRect().width));
"""
# Of the whole page, or text that is wider than its place and so would lie on the next one.
CUT_OFF = """
const isShown = (e) => e.clientWidth > 1 &&
  getComputedStyle(e.closest("thead") ?? e).clipPath === "none";
const isCut = (e) => isShown(e) && e.scrollWidth > e.clientWidth + 1;
const {scrollWidth} = document.documentElement;
return [...(scrollWidth > arguments[0] ? [`${scrollWidth} of ${arguments[0]}`] : []),
        ...[...document.querySelectorAll("td, th, dd, h1, h2, li")].filter(isCut)
          .map((e) => e.textContent)];
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("name", "selector"),
    [
        ("exhausted", "#headline, #findings span, .figures .bad b, .long td, .soft, dt, small"),
        ("exhausted", ".legend li, thead th, .processes .exhausted td, #clock, #pause, .marks"),
        ("silent", ".silent th small, #headline"),
        ("quiet", "#headline"),
        ("two", "#tiles a"),
    ],
)
def test_text_has_the_contrast_that_wcag_asks_for(
    name: str, selector: str, scheme: str, show: Any
) -> None:
    found = show(ALL[name], scheme=scheme).execute_script(CONTRAST, selector)
    assert found and min(found) >= 4.5, found


def test_the_keys_alone_are_enough(show: Any) -> None:
    browser = show(EXHAUSTED)
    reached = []
    for _ in range(12):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        reached.append(browser.switch_to.active_element.tag_name)
        outline = "return getComputedStyle(document.activeElement).outlineStyle"
        assert browser.execute_script(outline) != "none"
    assert reached[:3] == ["button", "input", "summary"] and reached[3:] == ["summary"] * 9
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    assert len(browser.find_elements(By.CSS_SELECTOR, ".holders details[open]")) == 1
