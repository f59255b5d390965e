"""Pools without Django's ORM on them: what takes a connection, and what gives it back."""

from __future__ import annotations

import collections
import operator
from collections.abc import Callable
from functools import partial
from typing import Any

import gevent
from gevent.event import Event

#: For one greenlet: a function that takes a connection, and one that gives it back.
Visit = Callable[[], "tuple[Callable[[], Any], Callable[[Any], object]]"]


def make(told: dict[str, Any], size: int) -> Visit:
    """The contender's pool, with *size* connections open."""
    visit = _MAKERS[told["peer"]](told, size)
    for give_back in borrow(visit, size):
        give_back()
    return visit


def borrow(visit: Visit, number: int) -> list[Callable[[], object]]:
    """Take so many connections, each for a borrower of its own; what gives them back."""
    visits = [visit() for _ in range(number)]
    return [partial(give_back, take()) for take, give_back in visits]


def wait_in_line(
    visit: Visit, number: int, event: Event | None = None
) -> list[gevent.Greenlet[..., None]]:
    """So many greenlets that wait for a connection, of which there is none; give it on at once.

    :param event: what they wait for instead, before that.
    """
    arrived = 0

    def use() -> None:
        nonlocal arrived
        take, give_back = visit()
        arrived += 1
        if event is not None:
            event.wait()
        give_back(take())

    waiting = [gevent.spawn(use) for _ in range(number)]
    while arrived < number:
        gevent.sleep(0)
    gevent.sleep(0)
    return waiting


class _Borrower:
    """Stands in for Django's DatabaseWrapper."""

    def owner_ended(self) -> bool:
        return True

    def let_go(self) -> None: ...


def ours(told: dict[str, Any], size: int) -> Visit:
    """As an engine calls it, with every feature that is on by default."""
    from . import site

    site.configure(told)
    from django.db import connections

    from django_db_geventpool.checkout import Checkout
    from django_db_geventpool.registry import pool_for

    pool, opener = pool_for(connections["default"])  # type: ignore[arg-type]
    borrowers: list[_Borrower] = []  # a pool only knows them weakly

    def visit() -> Any:
        borrowers.append(_Borrower())
        checkout = Checkout(pool, borrowers[-1], opener)
        # An engine calls it from Python; through a partial it would come from C each time.
        return lambda: pool.acquire(checkout), pool.release

    return visit


def psycopg_pool(told: dict[str, Any], size: int) -> Visit:
    from psycopg_pool import ConnectionPool

    pool = ConnectionPool(kwargs=told["server"], min_size=size, max_size=size, open=True)
    pool.wait()
    return lambda: (pool.getconn, pool.putconn)


def sqlalchemy(told: dict[str, Any], size: int) -> Visit:
    import psycopg
    from sqlalchemy.pool import QueuePool

    connect: Any = partial(psycopg.connect, **told["server"])
    pool = QueuePool(connect, pool_size=size, max_overflow=0)
    return lambda: (pool.connect, operator.methodcaller("close"))


def bare(told: dict[str, Any], size: int) -> Visit:
    """The least that a pool on gevent has to do: no feature, and no reset of what comes back."""
    import psycopg
    from gevent.lock import Semaphore

    free = Semaphore(size)
    idle = collections.deque(psycopg.connect(**told["server"]) for _ in range(size))

    def take() -> Any:
        free.acquire()
        return idle.pop()

    def give_back(connection: Any) -> None:
        idle.append(connection)
        free.release()

    return lambda: (take, give_back)


_MAKERS: dict[str, Callable[[dict[str, Any], int], Visit]] = {
    "ours-psycopg3": ours,
    "psycopg-pool": psycopg_pool,
    "sqlalchemy": sqlalchemy,
    "bare": bare,
}
