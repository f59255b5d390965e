"""A greenlet is killed, or hit by a Timeout, wherever it stands: its slot comes back."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from importlib.util import find_spec
from threading import Event
from typing import Any, Callable

import pytest
from django.db import transaction

from .models import Item
from .plugin_hub import HUB
from .plugin_proxy import Proxy
from .tasks import pause, spawn, until

pytestmark = pytest.mark.skipif(
    HUB == "threads",
    reason="a thread cannot be killed: https://docs.python.org/3/library/threading.html",
)


class Hit(BaseException):
    """As gevent.Timeout and eventlet.Timeout are."""


def kill(task: Any) -> None:
    task.kill()


def time_out(task: Any) -> None:
    """As the hub's Timeout does: thrown in, and the greenlet goes on if it catches it."""
    if HUB == "gevent":
        task.greenlet.kill(Hit)
    else:
        task.greenlet.kill(Hit)
        pause()


@pytest.fixture(params=[kill, time_out])
def strike(request: pytest.FixtureRequest) -> Iterator[Callable[[Any], None]]:
    """With the garbage collector off: it is not what gives the slots back."""
    gc.disable()
    yield request.param
    gc.enable()


def in_state(observer: Any, database: Any, condition: str) -> bool:
    return bool(
        observer(
            "SELECT 1 FROM pg_stat_activity WHERE application_name = %s AND " + condition,
            database.alias,
        )
    )


def is_well(database: Any) -> None:
    """Its only slot can be used, and the server has nothing else of it."""
    until(lambda: database.pool.stats().in_use + database.pool.stats().closing == 0)
    assert database.query("SELECT 42") == 42
    assert len(database.server_pids()) == 1


def test_in_mid_query(database: Any, observer: Any, strike: Any) -> None:
    one = database(MAX_CONNS=1)
    task = spawn(one.query, "SELECT pg_sleep(60)")
    until(lambda: in_state(observer, one, "wait_event = 'PgSleep'"))
    strike(task)
    is_well(one)


def test_in_mid_query_with_a_libpq_older_than_17(
    database: Any, observer: Any, strike: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which knows only a way to cancel that blocks."""
    if find_spec("psycopg"):
        monkeypatch.setattr("psycopg.capabilities.has_cancel_safe", lambda: False)
    else:
        from django_db_geventpool.drivers import libpq

        monkeypatch.setattr(libpq, "GreenCancel", libpq.BlockingCancel)
    test_in_mid_query(database, observer, strike)


def test_in_mid_result(database: Any, proxy: Proxy, strike: Any) -> None:
    one = database(proxy.settings, MAX_CONNS=1)
    one.query("SELECT 1")
    one.connection.close()
    proxy.slow(1000, 0.05)
    task = spawn(one.query, "SELECT repeat('x', 10000000)")
    until(lambda: one.pool.stats().in_use == 1)
    pause(0.05)  # some of it has come
    strike(task)
    proxy.start()
    is_well(one)


def test_in_mid_connect(database: Any, proxy: Proxy, strike: Any) -> None:
    one = database(proxy.settings, MAX_CONNS=1, connect_timeout=2)
    proxy.deaf()
    task = spawn(one.query, "SELECT 1")
    until(lambda: one.pool.stats().opening == 1 and proxy.counts().open == 1)
    strike(task)
    assert one.pool.stats().waiting == 0
    proxy.start()
    is_well(one)


def test_in_mid_commit(database: Any, observer: Any, strike: Any) -> None:
    one = database(MAX_CONNS=1)
    table = Item._meta.db_table
    one.execute(
        "CREATE OR REPLACE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_sleep(60); RETURN NULL; END'"
    )
    one.execute(
        f"CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT ON {table}"
        " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION dawdle()"
    )
    one.connection.close()

    def work() -> None:
        with transaction.atomic(using=one.alias):
            Item.objects.using(one.alias).create(name="never seen")

    try:
        task = spawn(work)
        until(lambda: in_state(observer, one, "query = 'COMMIT' AND wait_event = 'PgSleep'"))
        strike(task)
        is_well(one)
        assert not Item.objects.using(one.alias).filter(name="never seen").exists()
    finally:
        one.execute(f"DROP TRIGGER dawdle ON {table}")


def test_while_waiting(database: Any, observer: Any, strike: Any) -> None:
    one = database(MAX_CONNS=1)
    one.query("SELECT 1")
    task = spawn(one.query, "SELECT 1")
    until(lambda: one.pool.stats().waiting == 1)
    strike(task)
    assert one.pool.stats().waiting == 0
    one.connection.close()
    is_well(one)


def test_while_returning(database: Any, proxy: Proxy, strike: Any) -> None:
    one, returning = database(proxy.settings, MAX_CONNS=1), Event()

    def work() -> None:
        one.connection.set_autocommit(False)
        one.query("SELECT 1")
        proxy.deaf()
        returning.set()
        one.connection.close()  # whose ROLLBACK gets no answer

    task = spawn(work)
    assert returning.wait(30)
    strike(task)
    proxy.start()
    is_well(one)


def test_all_slots_come_back_without_garbage_collection(database: Any) -> None:
    """Half of them hold, half of them wait; their wrappers are in reference cycles."""
    five = database(MAX_CONNS=5, WAIT_TIMEOUT=5)

    def handle() -> None:
        five.connection.in_a_circle = five.connection
        with transaction.atomic(using=five.alias):
            five.query("SELECT pg_sleep(60)")

    tasks = [spawn(handle) for _ in range(10)]
    until(lambda: five.pool.stats().in_use == 5 and five.pool.stats().waiting == 5)
    until(lambda: len(five.server_pids()) == 5)
    for task in tasks:
        task.kill()

    def is_at_rest() -> bool:
        stats = five.pool.stats()
        return stats.idle + stats.empty == 5 and len(five.server_pids()) == stats.idle

    until(is_at_rest)
    assert five.query("SELECT 42") == 42


def test_a_handler_killed_in_a_transaction_asks_for_no_connection_again(database: Any) -> None:
    """atomic() does, to switch autocommit on; here it would wait for the other one's end."""
    one, may_end = database(MAX_CONNS=1, WAIT_TIMEOUT=None), Event()

    def handle() -> None:
        with transaction.atomic(using=one.alias):
            one.query("SELECT pg_sleep(60)")

    def next_one() -> None:
        one.query("SELECT 42")
        may_end.wait(60)

    task = spawn(handle)
    until(lambda: one.pool.stats().in_use == 1)
    other = spawn(next_one)
    until(lambda: one.pool.stats().waiting == 1)
    spawn(task.kill)
    until(lambda: not task.running, 10)
    may_end.set()
    other.result()


def test_a_handler_that_catches_the_kill_and_queries_on_loses_no_slot(database: Any) -> None:
    one = database(MAX_CONNS=1, WAIT_TIMEOUT=None)

    def handle() -> Any:
        try:
            one.query("SELECT pg_sleep(60)")
        except BaseException:
            one.connection.close()
            return one.query("SELECT 42")

    task = spawn(handle)
    until(lambda: one.pool.stats().in_use == 1 and len(one.server_pids()) == 1)
    spawn(task.kill)  # it waits for the task's end
    assert task.result() == 42
    until(lambda: one.pool.stats().idle == 1)


def test_a_handler_killed_while_it_gives_back_loses_no_slot(database: Any) -> None:
    """Its rollback is under way, or done, or not yet begun."""
    one = database(MAX_CONNS=1, WAIT_TIMEOUT=None)
    giving_back = []

    def handle() -> None:
        one.connection.set_autocommit(False)
        one.query("SELECT 1")
        giving_back.append(1)
        one.connection.close()

    for _ in range(20):
        task = spawn(handle)
        until(lambda: giving_back)
        task.kill()
        giving_back.clear()
        assert spawn(one.query, "SELECT 42").result() == 42
    until(lambda: one.pool.stats().idle == 1)


def test_a_late_cancel_hits_nobody_else(database: Any, strike: Any) -> None:
    """Statements that are over in the moment of the kill, again and again."""
    two, over = database(MAX_CONNS=2), Event()

    def innocent() -> None:
        while not over.is_set():
            two.query("SELECT pg_sleep(0.002)")
            two.connection.close()

    task = spawn(innocent)
    for number in range(100):
        victim = spawn(two.query, "SELECT pg_sleep(0.002)")
        pause(0.0005 * (number % 8))
        strike(victim)
    over.set()
    task.result()
