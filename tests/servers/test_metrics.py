"""The pool's metrics as OpenTelemetry's own SDK collects them, by the semantic conventions."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from threading import Event
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.semconv._incubating.attributes import db_attributes
from opentelemetry.semconv._incubating.metrics import db_metrics

from django_db_geventpool.contrib.opentelemetry import instrument, values
from django_db_geventpool.stats import BOUNDS, Times

from ..scripts import run
from ..tasks import spawn, until
from .running import PRELOAD, Running, Start
from .test_gunicorn import gunicorn

STATE = db_attributes.DB_CLIENT_CONNECTION_STATE
POOL = db_attributes.DB_CLIENT_CONNECTION_POOL_NAME


class Collected:
    """What a reader gets, of one pool."""

    def __init__(self, reader: InMemoryMetricReader, pool: str) -> None:
        data = reader.get_metrics_data()
        assert data is not None
        (resource,) = data.resource_metrics
        (scope,) = resource.scope_metrics
        assert scope.scope.name == "django_db_geventpool"
        self.metrics = {metric.name: metric for metric in scope.metrics}
        self._pool = pool

    def points(self, name: str) -> list[Any]:
        return [
            point
            for point in self.metrics[name].data.data_points
            if point.attributes[POOL] == self._pool
        ]

    def value(self, name: str, **attributes: str) -> Any:
        (point,) = [
            point
            for point in self.points(name)
            if point.attributes == {POOL: self._pool, **attributes}
        ]
        return point.value


@pytest.fixture
def reader() -> Iterator[InMemoryMetricReader]:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    instrument(provider)
    yield reader
    provider.shutdown()


def test_the_names_and_units_are_those_of_the_semantic_conventions(
    database: Any, reader: InMemoryMetricReader
) -> None:
    one = database()
    one.query("SELECT 1")
    one.connection.close()
    found = Collected(reader, one.alias).metrics
    provider = MeterProvider([conventions := InMemoryMetricReader()])
    meter = provider.get_meter("conventions")
    for name in dir(db_metrics):
        if name.startswith("create_db_client_connection_"):
            made = getattr(db_metrics, name)(meter)
            (made.record if hasattr(made, "record") else made.add)(1)
    data = conventions.get_metrics_data()
    assert data is not None
    theirs = data.resource_metrics[0].scope_metrics[0].metrics
    assert len(theirs) == 9
    for metric in theirs:
        ours = found[metric.name]
        assert (ours.unit, type(ours.data)) == (metric.unit, type(metric.data)), metric.name
        is_monotonic = getattr(metric.data, "is_monotonic", None)
        assert getattr(ours.data, "is_monotonic", None) == is_monotonic
    provider.shutdown()


def test_the_numbers_of_a_pool_are_collected(database: Any, reader: InMemoryMetricReader) -> None:
    one, go_on = database(MAX_CONNS=2, REUSE_CONNS=1, MIN_CONNS=1, WAIT_TIMEOUT=30), Event()

    def hold() -> None:
        one.query("SELECT 1")
        go_on.wait(30)
        one.connection.close()

    tasks = [spawn(hold) for _ in range(3)]
    until(lambda: (one.pool.stats().in_use, one.pool.stats().waiting) == (2, 1))
    found = Collected(reader, one.alias)
    assert found.value("db.client.connection.count", **{STATE: "used"}) == 2
    assert found.value("db.client.connection.count", **{STATE: "idle"}) == 0
    assert found.value("db.client.connection.max") == 2
    assert found.value("db.client.connection.idle.max") == 1
    assert found.value("db.client.connection.idle.min") == 1
    assert found.value("db.client.connection.pending_requests") == 1
    assert found.value("db.client.connection.timeouts") == 0
    go_on.set()
    for task in tasks:
        task.result()
    until(lambda: one.pool.stats().closing == 0)
    found = Collected(reader, one.alias)
    assert found.value("db.client.connection.count", **{STATE: "used"}) == 0
    assert found.value("db.client.connection.count", **{STATE: "idle"}) == 1
    assert found.value("db.client.connection.pending_requests") == 0
    assert found.value("django_db_geventpool.checkouts") == 3
    assert found.value("django_db_geventpool.discards", reason="surplus") == 1


def test_the_histograms_are_those_of_the_pool_however_often_they_are_collected(
    database: Any, reader: InMemoryMetricReader
) -> None:
    one = database(MAX_CONNS=1)
    for _ in range(3):
        for _ in range(4):
            one.query("SELECT pg_sleep(0.003)")
            one.connection.close()
        stats, found = one.pool.stats(), Collected(reader, one.alias)
        (use,) = found.points("db.client.connection.use_time")
        assert tuple(use.explicit_bounds) == BOUNDS
        assert tuple(use.bucket_counts) == stats.use_time.counts
        assert use.sum == pytest.approx(stats.use_time.total)
        (create,) = found.points("db.client.connection.create_time")
        assert (create.count, create.sum) == (1, pytest.approx(stats.connect_time.total))
        # Whoever got one at once has waited for 0 seconds, by the conventions.
        (wait,) = found.points("db.client.connection.wait_time")
        assert (wait.count, wait.sum) == (stats.checkouts, pytest.approx(stats.wait_time.total))


def test_each_reader_of_a_provider_gets_all_of_it(database: Any) -> None:
    readers = [InMemoryMetricReader(), InMemoryMetricReader()]
    provider = MeterProvider(readers)
    instrument(provider)
    one = database()
    one.query("SELECT 1")
    one.connection.close()
    for reader in readers:
        (use,) = Collected(reader, one.alias).points("db.client.connection.use_time")
        assert use.count == 1
    provider.shutdown()


def exported(site: Running, worker: int) -> dict[str, Any]:
    """What a worker has told last: the points of each metric; {} if there is nothing yet."""
    lines = re.findall(rf"^metrics of {worker}: (.*)\n", site.log(), re.MULTILINE)
    if not lines:
        return {}
    (scope,) = json.loads(lines[-1])["resource_metrics"][0]["scope_metrics"]
    return {metric["name"]: metric["data"]["data_points"] for metric in scope["metrics"]}


@pytest.mark.parametrize("preload", [{}, PRELOAD], ids=["after the fork", "preloaded"])
def test_each_worker_of_gunicorn_exports_its_own_pool(
    start: Start, preload: dict[str, str]
) -> None:
    site = gunicorn(start, SITE_METERING="100", **preload)
    workers = site.visits(processes=2)
    requests = site.stay(sessions=6)

    def used(worker: int) -> list[int]:
        points = exported(site, worker).get("db.client.connection.count", [])
        told = {POOL: "default", STATE: "used"}
        return [point["value"] for point in points if point["attributes"] == told]

    until(lambda: [used(worker) for worker in workers] == [[3], [3]])

    def all_have_ended() -> bool:  # those that waited get a connection when others end
        for session in site.sessions("active"):
            site._observer("SELECT pg_terminate_backend(%s)", session)
        return not any(request.running for request in requests)

    until(all_have_ended)
    for request in requests:
        request.error()

    def all_is_told(worker: int) -> bool:
        found = exported(site, worker)
        (most,) = found["db.client.connection.max"]
        (checkouts,) = found["django_db_geventpool.checkouts"]
        (uses,) = found["db.client.connection.use_time"]
        assert (most["value"], checkouts["value"] >= 3) == (3, True)
        return used(worker) == [0] and uses["count"] == checkouts["value"]

    until(lambda: all(map(all_is_told, workers)))


def test_neither_library_is_imported_unless_a_site_asks_for_it() -> None:
    output = run(
        """
        settings()
        import sys
        from django.db import connection
        connection.ensure_connection()
        import django_db_geventpool.contrib.monitor.urls
        print([name for name in sys.modules if name.startswith(("opentelemetry", "prometheus"))])
        """
    )
    assert output.splitlines() == ["[]"]  # nor does the end of so short a process complain


@pytest.mark.parametrize("seed", range(50))
def test_the_values_that_are_told_fall_into_the_same_buckets_and_add_up_to_the_same(
    seed: int,
) -> None:
    dice = random.Random(seed)
    real, told = Times(), Times()
    for _ in range(dice.randrange(40)):
        real.add(dice.choice([0.0, *BOUNDS, dice.random(), dice.expovariate(0.1), 30.0001]))
    for seconds in values(real.histogram()):
        told.add(seconds)
    assert told.histogram().counts == real.histogram().counts
    assert told.histogram().total == pytest.approx(real.histogram().total)
