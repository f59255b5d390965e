"""``SELECT 1`` on 20 connections by 20 greenlets: what it costs to wait for the server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent

from ..clock import Clock

CONNECTIONS = 20


def prepare(told: dict[str, Any]) -> Callable[[int], dict[str, float]]:
    connect = {
        "psycopg3": psycopg3,
        "ours-psycopg3": psycopg3,
        "psycogreen": psycopg2,
        "ours-psycopg2": psycopg2,
    }[told["peer"]]
    if told["peer"] == "psycogreen":
        from psycogreen.gevent import patch_psycopg

        patch_psycopg()
    server = told["server"]
    if told["ours"]:
        make_green("psycopg3" if connect is psycopg3 else "psycopg2")
    connections = [connect(server) for _ in range(CONNECTIONS)]
    if told["ours"]:
        keep_watchers(connections)

    def ask(connection: Any, times: int) -> None:
        cursor = connection.cursor()
        for _ in range(times):
            cursor.execute("SELECT 1")
            cursor.fetchone()

    def run(count: int) -> dict[str, float]:
        with (clock := Clock()):
            gevent.joinall(
                [gevent.spawn(ask, each, count // CONNECTIONS) for each in connections],
                raise_error=True,
            )
        return clock.figures(count // CONNECTIONS * CONNECTIONS)

    return run


def psycopg3(server: dict[str, Any]) -> Any:
    import psycopg

    return psycopg.connect(**server, autocommit=True)


def psycopg2(server: dict[str, Any]) -> Any:
    import psycopg2

    connection = psycopg2.connect(**server)
    connection.autocommit = True
    return connection


def make_green(driver: str) -> None:
    """What the pool does before its first connection."""
    import importlib

    from django_db_geventpool import hubs

    importlib.import_module(f"django_db_geventpool.drivers.{driver}").make_green(
        hubs.load("gevent")
    )


def keep_watchers(connections: list[Any]) -> None:
    """What the pool does with each connection that it has opened."""
    from django_db_geventpool import hubs

    hub = hubs.load("gevent")
    for connection in connections:
        hub.keep_watcher(connection.fileno())
