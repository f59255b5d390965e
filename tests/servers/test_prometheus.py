"""django-prometheus: its middleware, and its counts of statements and connections."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from .running import SITE, Running, Start, serve

DJANGOS_OWN = {"SITE_ENGINE": "django_prometheus.db.backends.postgresql"}


def counted(start: Start, options: dict[str, Any] | None = None, **environ: str) -> Running:
    environ["DJANGO_SETTINGS_MODULE"] = f"{SITE}.prometheus.settings"
    return serve(start, options=options, **environ)


def metric(site: Running, name: str) -> float:
    """Its value, of all its labels together."""
    families = text_string_to_metric_families(site.ask("/metrics")[1])
    samples = [sample for family in families for sample in family.samples]
    return sum(sample.value for sample in samples if sample.name == name)


def executes_and_connections(site: Running) -> tuple[float, float]:
    """Of one more request. A statement with a server-side cursor is not counted, three others are,
    and one in the set-up of a connection."""
    names = ("django_db_execute_total", "django_db_new_connections_total")
    before = [metric(site, name) for name in names]
    site.queries()
    executes, connections = [metric(site, name) for name in names]
    return executes - before[0], connections - before[1]


def test_djangos_own_engine_connects_for_each_request(start: Start) -> None:
    """What the next test compares with."""
    site = counted(start, **DJANGOS_OWN)
    assert [executes_and_connections(site) for _ in range(3)] == [(4, 1)] * 3


@pytest.mark.parametrize(("release", "checkouts"), [("request", 1), ("transaction", 3)])
def test_it_counts_each_statement_once_and_each_checkout(
    start: Start, release: str, checkouts: int
) -> None:
    site = counted(start, {"RELEASE": release})
    found = [executes_and_connections(site) for _ in range(10)]
    assert found == [(4, checkouts)] + [(3, checkouts)] * 9
    assert metric(site, "django_db_query_duration_seconds_count") == 31
    assert metric(site, "django_http_responses_total_by_status_view_method_total") >= 10
    stats = site.get("/stats/")
    assert stats["checkouts"] == 10 * checkouts
    assert sum(stats["connect_time"]["counts"]) == 1


def test_whoever_gets_no_connection_is_a_connection_error(start: Start) -> None:
    site = counted(start, {"MAX_CONNS": 1, "WAIT_TIMEOUT": 0.1})
    with site.exhausted():
        assert site.ask("/queries/?key=none")[0].status == 500
        assert metric(site, "django_db_new_connection_errors_total") == 1
        assert metric(site, "django_db_new_connections_total") == 2
    assert metric(site, "django_db_errors_total") == 1
