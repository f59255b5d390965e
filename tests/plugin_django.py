"""A server, a Django on it, and databases for single tests with options of their own."""

from __future__ import annotations

import copy
import itertools
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from threading import Event
from typing import Any, Callable

import pytest

from matrix import ABSENT
from matrix.postgres import Server, ServerAbsent, ServerUnavailable, parse_url, server

from . import pgbouncer
from .tasks import pause, spawn, until

ENGINE = os.environ.get("TEST_ENGINE", "django_db_geventpool.backends.postgresql_psycopg")
#: The module of the client library that Django runs on here.
DRIVER = next(filter(find_spec, ("psycopg", "psycopg2", "psycopg2cffi")), "")
SERVER: Server  # from pytest_configure() on
_stack = ExitStack()
_numbers = itertools.count(1)


def pytest_configure(config: pytest.Config) -> None:
    global SERVER
    if config.option.help:
        return
    if config.option.collectonly:
        SERVER = parse_url("postgresql://localhost/nothing_is_asked_of_it")
    else:
        SERVER = _started()
    _configure(SERVER)


def _started() -> Server:
    """For as long as the tests run."""
    try:
        return _stack.enter_context(server())
    except ServerUnavailable as error:
        if isinstance(error, ServerAbsent) and not os.environ.get("CI"):
            pytest.exit(str(error), returncode=ABSENT)
        raise pytest.UsageError(str(error)) from None


def _configure(server: Server) -> None:
    import django
    from django.conf import settings

    behind = server.direct or server
    settings.configure(
        DATABASES={
            "default": {"ENGINE": ENGINE, **server.django},
            "observer": {
                "ENGINE": "django.db.backends.postgresql",
                **behind.django,
                "OPTIONS": {**behind.options, "application_name": "observer"},
            },
        },
        INSTALLED_APPS=["tests"],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        SECRET_KEY="tests",
        USE_TZ=True,
        TIME_ZONE="UTC",
    )
    django.setup()


def pytest_unconfigure() -> None:
    _stack.close()


@pytest.fixture(scope="session")
def test_database() -> Iterator[str]:
    """A database with the tables of tests.models, created and dropped by Django's own code."""
    from django.db import connections

    creation = connections["default"].creation
    old_name = connections["default"].settings_dict["NAME"]
    name = creation.create_test_db(verbosity=0, autoclobber=True)
    yield name
    for connection in connections.all(initialized_only=True):
        connection.close()
    if SERVER.direct is not None:
        pgbouncer.let_go(SERVER, name)
    creation.destroy_test_db(old_name, verbosity=0)


@pytest.fixture(scope="session")
def observer(test_database: str) -> Iterator[Callable[..., list[tuple[Any, ...]]]]:
    """Ask the server, on a connection that no pool knows of."""
    from django.db import connections

    connection = connections["observer"]

    def ask(sql: str, *params: Any) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(sql, params)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            return rows

    yield ask
    connection.close()


class Database:
    """One alias of Django's, with a pool of its own that ends with the test."""

    def __init__(self, observer: Callable[..., list[tuple[Any, ...]]], settings: dict[str, Any]):
        from django.db import connections

        self.alias = f"database{next(_numbers)}"
        self._observer = observer
        base = copy.deepcopy(connections.settings["default"])
        options = {**base["OPTIONS"], "application_name": self.alias, **settings.pop("OPTIONS")}
        connections.settings[self.alias] = {**base, **settings, "OPTIONS": options}

    @property
    def connection(self) -> Any:
        """The calling greenlet's own wrapper."""
        from django.db import connections

        return connections[self.alias]

    @property
    def pool(self) -> Any:
        from django_db_geventpool.registry import pool_for

        return pool_for(self.connection)[0]

    def query(self, sql: str, *params: Any) -> Any:
        """The first value of the first row."""
        with self.connection.cursor() as cursor:
            cursor.execute(sql, params)
            return cursor.fetchone()[0]

    def execute(self, sql: str) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(sql)

    def warm(self, number: int) -> None:
        """Open so many connections, idle afterwards."""
        holds, may_end = [], Event()

        def hold() -> None:
            self.query("SELECT 1")
            holds.append(1)
            may_end.wait(30)

        tasks = [spawn(hold) for _ in range(number)]
        until(lambda: len(holds) == number)
        may_end.set()
        for task in tasks:
            task.result()
        until(lambda: self.pool.stats().idle == number)

    def peak_of(self, tasks: Sequence[Any]) -> int:
        """The most sessions that there were at the same time while *tasks* ran."""
        peak = 0
        while any(task.running for task in tasks):
            peak = max(peak, len(self.sessions()))
            pause()
        return peak

    def sessions(self) -> list[int]:
        """Those of this database, as the server counts them: a number for each.

        They are pids; or the ports of its clients, where it is a PgBouncer that we connect to.
        """
        if SERVER.direct is not None:
            return pgbouncer.clients(SERVER, self.alias)
        return self.server_pids()

    def server_pids(self) -> list[int]:
        """What the processes of the server itself say that they work for."""
        rows = self._observer(
            "SELECT pid FROM pg_stat_activity WHERE application_name = %s ORDER BY pid", self.alias
        )
        return [pid for (pid,) in rows]

    def remove(self) -> None:
        from django.db import connections

        self.connection.close()
        self.connection.close_pool()
        until(lambda: not self.sessions())
        del connections.settings[self.alias], connections[self.alias]


@pytest.fixture
def database(observer: Any) -> Iterator[Callable[..., Database]]:
    """Make databases: ``database(MAX_CONNS=2)``; settings other than OPTIONS as ``settings=``."""
    made: list[Database] = []

    def make(settings: dict[str, Any] | None = None, **options: Any) -> Database:
        one = Database(observer, {**(settings or {}), "OPTIONS": options})
        made.append(one)
        return one

    yield make
    for one in made:
        one.remove()
