"""What is compared: the ways to a connection that a site on gevent can choose from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

#: A part of a Django ``DATABASES`` entry, for a pool of so many connections.
Sized = Callable[[int], dict[str, Any]]

OURS = "django_db_geventpool.backends.postgresql_"
DJANGO = "django.db.backends.postgresql"


@dataclass(frozen=True)
class Peer:
    """One way, and the environment that it is installed in."""

    title: str
    lock: str
    """Of ``locks/``: what the environment consists of."""
    database: Sized
    ours: bool = False
    """Whether this checkout's package is in the environment as well."""


def no_pool(size: int) -> dict[str, Any]:
    return {"ENGINE": DJANGO, "CONN_MAX_AGE": 0}


def persistent(size: int) -> dict[str, Any]:
    return {"ENGINE": DJANGO, "CONN_MAX_AGE": None}


def ours(engine: str, **options: str) -> Sized:
    return lambda size: {"ENGINE": OURS + engine, "OPTIONS": {"MAX_CONNS": size, **options}}


def public(engine: str) -> Sized:
    """4.0.8 has the same names; on Django 5.1 and newer it wants Django's pool switched off."""
    return lambda size: {
        "ENGINE": OURS + engine,
        "CONN_MAX_AGE": 0,
        "OPTIONS": {"MAX_CONNS": size, "REUSE_CONNS": size, "pool": False},
    }


def psycopg_pool(engine: str) -> Sized:
    """Django's own, or what is built on it; with all connections open from the start, as ours."""
    return lambda size: {
        "ENGINE": engine,
        "CONN_MAX_AGE": 0,
        "OPTIONS": {"pool": {"min_size": size, "max_size": size}},
    }


def connection_pool(size: int) -> dict[str, Any]:
    return {
        "ENGINE": "dj_db_conn_pool.backends.postgresql",
        "CONN_MAX_AGE": 0,
        "POOL_OPTIONS": {"POOL_SIZE": size, "MAX_OVERFLOW": 0},
    }


PEERS = {
    "ours-psycopg3": Peer("ours, psycopg 3", "psycopg3", ours("psycopg3"), True),
    "ours-psycopg2": Peer("ours, psycopg2", "psycopg2", ours("psycopg2"), True),
    "ours-transaction": Peer(
        'ours, psycopg 3, RELEASE="transaction"',
        "psycopg3",
        ours("psycopg3", RELEASE="transaction"),
        True,
    ),
    "persistent-psycopg3": Peer(
        "stock Django, persistent connections, psycopg 3", "psycopg3", persistent
    ),
    "persistent-psycopg2": Peer(
        "stock Django, persistent connections, psycopg2", "psycopg2", persistent
    ),
    "handed-psycopg3": Peer(
        "stock Django in new greenlets, psycopg 3 (the limit)", "psycopg3", persistent
    ),
    "handed-psycopg2": Peer(
        "stock Django in new greenlets, psycopg2 (the limit)", "psycopg2", persistent
    ),
    "no-pool-psycopg3": Peer("stock Django, no pool, psycopg 3", "psycopg3", no_pool),
    "no-pool-psycopg2": Peer("stock Django, no pool, psycopg2", "psycopg2", no_pool),
    "public-psycopg3": Peer(
        "public package 4.0.8, psycopg 3", "public-psycopg3", public("psycopg3")
    ),
    "public-psycopg2": Peer(
        "public package 4.0.8, psycopg2", "public-psycopg2", public("psycopg2")
    ),
    "django-pool": Peer("Django's own pool, psycopg 3", "psycopg-pool", psycopg_pool(DJANGO)),
    "connection-pool": Peer(
        "django-db-connection-pool 1.2.6, psycopg 3", "connection-pool", connection_pool
    ),
    "real-pool": Peer(
        "django-pg-real-pool 1.1, psycopg 3", "real-pool", psycopg_pool("django_pg_real_pool")
    ),
    # Without Django: a driver or a pool by itself. The engine is for the tables only.
    "psycopg3": Peer("psycopg 3, its own wait", "psycopg3", no_pool),
    "psycogreen": Peer("psycopg2 with psycogreen", "psycopg2", no_pool),
    "psycopg-pool": Peer("psycopg_pool", "psycopg-pool", no_pool),
    "sqlalchemy": Peer("SQLAlchemy QueuePool", "sqlalchemy", no_pool),
    "bare": Peer("a bare deque and semaphore (the limit)", "psycopg3", no_pool),
}
