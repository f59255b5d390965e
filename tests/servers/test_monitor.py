"""Several gunicorn workers shown together: in a browser, and to a real Prometheus client."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from selenium.webdriver.common.by import By

from ..harness.conftest import browser as browser
from ..tasks import spawn, until
from .running import SITE, Running, Start
from .test_gunicorn import gunicorn

POOL = {"db_client_connection_pool_name": "default"}


@pytest.fixture
def site(start: Start, tmp_path: Path) -> Iterator[Running]:
    (tmp_path / "prometheus").mkdir()
    site = gunicorn(
        start,
        SITE_URLS=f"{SITE}.monitored",
        PROMETHEUS_MULTIPROC_DIR=str(tmp_path / "prometheus"),
        TMPDIR=str(tmp_path),
    )
    site.visits(processes=2)
    yield site


def status(site: Running) -> Any:
    return site.get("/pool/status.json")


def stats(site: Running) -> Any:
    return status(site)["totals"]["default"]["stats"]


def samples(site: Running, path: str) -> dict[tuple[Any, ...], float]:
    """As a Prometheus client reads them: by name and labels."""
    with closing(HTTPConnection(site.address, timeout=30)) as asking:
        asking.request("GET", path)
        answer = asking.getresponse()
        assert answer.status == 200
        text = answer.read().decode()
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def key(name: str, **labels: str) -> tuple[Any, ...]:
    return (name, *sorted({**POOL, **labels}.items()))


def end(site: Running, requests: list[Any]) -> None:
    """Of those that waited, some get a connection when others are ended: again and again."""

    def nobody_is_left() -> bool:
        for pid in site.sessions("active"):
            site._observer("SELECT pg_terminate_backend(%s)", pid)
        found = stats(site)
        return bool(found["in_use"] + found["waiting"] == 0)

    until(nobody_is_left)
    for request in requests:
        request.error()


def test_the_page_shows_who_has_exhausted_the_pools_of_all_workers(
    site: Running, browser: Any
) -> None:
    requests = site.stay(sessions=6)

    def somebody_waits_in_each() -> bool:
        requests.append(spawn(site.get, "/stay/"))  # whichever worker it reaches
        pools = [each["pools"]["default"] for each in status(site)["processes"]]
        return all(pool["stats"]["waiting"] > 0 for pool in pools)

    until(somebody_waits_in_each)
    browser.get(f"http://{site.address}/pool/")

    def texts(selector: str) -> list[str]:
        script = "return [...document.querySelectorAll(arguments[0])].map((each) => each.innerText)"
        found: list[str] = browser.execute_script(script, selector)
        return found

    (sentence,) = until(lambda: [t for t in texts("#headline") if t.startswith("Exhausted: ")])
    assert sentence.startswith("Exhausted: 6 of 6 connections in use, ")
    assert "the longest holder is GET /stay/ for " in sentence
    processes = {str(each["pid"]) for each in status(site)["processes"]}
    assert len(processes) == 2
    shown = texts(".processes tbody tr")
    assert len(shown) == 2 and all(any(pid in row for row in shown) for pid in processes)
    assert [row.split()[0] for row in texts(".groups tbody tr")] == ["GET"]
    end(site, requests)
    until(lambda: texts("#headline")[0].startswith("Fine: 0 of 6 connections in use"))
    assert browser.find_element(By.ID, "clock").text.startswith("live ")


def test_whichever_worker_is_asked_tells_of_all(site: Running) -> None:
    requests = site.stay(sessions=6)
    for _ in range(6):
        until(lambda: stats(site)["in_use"] == 6)
    found = status(site)
    first, second = found["processes"]
    assert first["pid"] != second["pid"]
    for process in (first, second):
        pool = process["pools"]["default"]
        assert (pool["stats"]["size"], pool["stats"]["in_use"]) == (3, 3)
        assert [holder["request"] for holder in pool["holders"]] == ["GET /stay/"] * 3
    assert found["totals"]["default"]["stats"]["size"] == 6
    end(site, requests)


def test_counters_go_on_where_a_worker_has_been_replaced(site: Running) -> None:
    before, pid = stats(site), status(site)["processes"][0]["pid"]
    assert before["checkouts"] > 0
    os.kill(pid, signal.SIGKILL)
    until(lambda: pid not in [each["pid"] for each in status(site)["processes"]])
    (ended,) = status(site)["ended"]  # the charts keep what it had
    pool = ended["pools"]["default"]
    assert (ended["pid"], ended["is_last"]) == (pid, False)
    assert (pool["size"], len(pool["samples"]) > 0) == (3, True)
    site.visits(processes=2)
    assert len(status(site)["processes"]) == 2
    assert stats(site)["checkouts"] >= before["checkouts"] + 2
    assert stats(site)["size"] == 6
    assert [each["pid"] for each in status(site)["ended"]] == [pid]


def test_a_worker_that_stops_in_good_order_says_so(site: Running) -> None:
    pid = status(site)["processes"][0]["pid"]
    os.kill(pid, signal.SIGTERM)
    (ended,) = until(lambda: status(site)["ended"])
    assert (ended["pid"], ended["is_last"]) == (pid, True)


def test_a_worker_whose_hub_is_blocked_is_seen_to_be_silent(site: Running) -> None:
    (pid, _) = (each["pid"] for each in status(site)["processes"])
    os.kill(pid, signal.SIGSTOP)
    try:
        until(lambda: [e["pid"] for e in status(site)["processes"] if e["age"] > 3] == [pid])
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: all(each["age"] < 3 for each in status(site)["processes"]))


@pytest.mark.parametrize("path", ["/pool/metrics", "/metrics/"])
def test_a_prometheus_client_reads_the_pools_of_all_workers(site: Running, path: str) -> None:
    requests = site.stay(sessions=6)
    until(lambda: stats(site)["in_use"] == 6)
    found, totals = samples(site, path), stats(site)
    used = {"db_client_connection_state": "used"}
    assert found[key("db_client_connection_count", **used)] == 6
    assert found[key("db_client_connection_max")] == 6
    assert found[key("db_client_connection_idle_max")] == 6
    assert found[key("db_client_connection_timeouts_total")] == 0
    connects = found[key("db_client_connection_create_time_seconds_count")]
    assert connects == sum(totals["connect_time"]["counts"])
    assert found[key("db_client_connection_create_time_seconds_bucket", le="+Inf")] == connects
    in_all = found[key("db_client_connection_create_time_seconds_sum")]
    assert in_all == pytest.approx(totals["connect_time"]["total"])
    waits = found[key("db_client_connection_wait_time_seconds_count")]
    assert waits == totals["checkouts"]
    if path == "/metrics/":  # beside what the site counts by itself, in multiprocess mode
        assert found[("site_requests_total",)] >= 2
    end(site, requests)
