"""How a connection comes back, and in what state."""

from __future__ import annotations

import gc
import os
import signal
import weakref
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from django.core.signals import request_finished
from django.db import (
    DatabaseError,
    DataError,
    InterfaceError,
    ProgrammingError,
    close_old_connections,
    connections,
    transaction,
)

from django_db_geventpool.backends import base
from django_db_geventpool.checkout import Checkout
from django_db_geventpool.errors import PoolTimeout
from django_db_geventpool.session import Session
from django_db_geventpool.utils import close_connection

from .fakes import WatchedCheckout
from .models import Item
from .plugin_hub import HUB
from .tasks import pause, spawn, until, until_freed

greenlets_only = pytest.mark.skipif(
    HUB == "threads",
    reason="a thread cannot be killed: https://docs.python.org/3/library/threading.html",
)


class Interrupted(BaseException): ...


def interrupt(*_: Any) -> None:
    raise Interrupted


def by_request_finished(database: Any) -> None:
    database.query("SELECT 1")
    request_finished.send(sender="test")


def by_close_old_connections(database: Any) -> None:
    database.query("SELECT 1")
    close_old_connections()


def by_close(database: Any) -> None:
    database.query("SELECT 1")
    database.connection.close()


def by_decorator(database: Any) -> None:
    close_connection(database.query)("SELECT 1")


def by_decorator_with_parentheses(database: Any) -> None:
    close_connection()(database.query)("SELECT 1")


def by_context_manager(database: Any) -> None:
    with close_connection():
        database.query("SELECT 1")


def by_decorator_when_the_function_raises(database: Any) -> None:
    with pytest.raises(DataError):
        close_connection(database.query)("SELECT 1/0")


@pytest.mark.parametrize(
    "way",
    [
        by_request_finished,
        by_close_old_connections,
        by_close,
        by_decorator,
        by_decorator_with_parentheses,
        by_context_manager,
        by_decorator_when_the_function_raises,
    ],
)
def test_a_connection_comes_back(database: Any, way: Any) -> None:
    one = database(MAX_CONNS=1)
    way(one)
    assert (one.pool.stats().in_use, one.pool.stats().idle) == (0, 1)
    assert one.connection.connection is None


def test_a_connection_comes_back_by_itself_when_its_task_ends(database: Any) -> None:
    one = database(MAX_CONNS=1)
    gc.disable()
    try:
        pids = {spawn(one.query, "SELECT pg_backend_pid()").result() for _ in range(5)}
    finally:
        gc.enable()
    assert len(pids) == 1
    until(lambda: one.pool.stats().idle == 1)


@pytest.mark.skipif(HUB != "gevent", reason="raw greenlets as gevent's spawn_raw makes them")
def test_a_connection_comes_back_by_itself_from_a_raw_greenlet(database: Any) -> None:
    import gevent

    one, may_end = database(MAX_CONNS=1), Event()

    def work() -> None:
        one.query("SELECT 1")
        may_end.wait(30)

    gc.disable()
    try:
        gevent.spawn_raw(work)
        until(lambda: one.pool.stats().in_use == 1)
        may_end.set()
        until_freed(lambda: one.pool.stats().idle == 1)
    finally:
        gc.enable()


@greenlets_only
def test_a_task_killed_in_mid_query_gives_its_slot_back(database: Any) -> None:
    one = database(MAX_CONNS=1)
    gc.disable()
    try:
        task = spawn(one.query, "SELECT pg_sleep(60)")
        until(lambda: one.pool.stats().in_use == 1 and len(one.sessions()) == 1)
        task.kill()
        assert one.query("SELECT 42") == 42
    finally:
        gc.enable()


@greenlets_only
def test_a_task_killed_in_a_transaction_is_rolled_back(database: Any) -> None:
    one = database(MAX_CONNS=1)

    def work() -> None:
        with transaction.atomic(using=one.alias):
            Item.objects.using(one.alias).create(name="never seen")
            until(lambda: False)

    task = spawn(work)
    until(lambda: one.pool.stats().in_use == 1)
    task.kill()
    assert not Item.objects.using(one.alias).filter(name="never seen").exists()


def test_an_open_transaction_is_rolled_back_and_autocommit_restored(database: Any) -> None:
    one = database(MAX_CONNS=1)
    one.connection.set_autocommit(False)
    pid = one.query("SELECT pg_backend_pid()")
    Item.objects.using(one.alias).create(name="not committed")
    one.connection.close()
    assert one.query("SELECT pg_backend_pid()") == pid
    assert one.connection.get_autocommit() is True
    assert one.connection.connection.autocommit is True
    assert not Item.objects.using(one.alias).filter(name="not committed").exists()


def test_a_failed_transaction_is_rolled_back(database: Any) -> None:
    one = database(MAX_CONNS=1)
    one.connection.set_autocommit(False)
    pid = one.query("SELECT pg_backend_pid()")
    with pytest.raises(DataError):
        one.query("SELECT 1/0")
    one.connection.close()
    assert one.query("SELECT pg_backend_pid()") == pid


def test_client_side_settings_of_one_borrower_are_gone_for_the_next(database: Any) -> None:
    one = database(MAX_CONNS=1)
    one.connection.ensure_connection()
    raw = one.connection.connection
    before = raw.isolation_level
    if hasattr(raw, "set_session"):  # psycopg2
        raw.set_session(isolation_level="SERIALIZABLE", readonly=True, autocommit=False)
    else:
        from psycopg import IsolationLevel

        raw.isolation_level, raw.read_only = IsolationLevel.SERIALIZABLE, True
    one.connection.close()
    one.connection.ensure_connection()
    assert one.connection.connection is raw
    assert raw.isolation_level == before
    one.execute("CREATE TEMP TABLE writes AS SELECT 1")


@pytest.mark.session("ends its own connection, and the client learns nothing")
def test_idle_connections_that_the_server_ended_fail_no_query(database: Any, observer: Any) -> None:
    three = database(MAX_CONNS=3)
    three.warm(3)
    dead = three.sessions()
    assert len(dead) == three.pool.stats().idle == 3
    for pid in dead:
        observer("SELECT pg_terminate_backend(%s)", pid)
    until(lambda: not three.sessions())
    for _ in range(3):
        assert spawn(three.query, "SELECT pg_backend_pid()").result() not in dead


def test_autocommit_inside_a_begin_of_the_sites_own_is_what_it_is_for_django(
    database: Any, observer: Any
) -> None:
    """psycopg 3 refuses it, psycopg2 does not look."""

    def outcome(connection: Any) -> type[Exception] | None:
        try:
            with connection.cursor() as cursor:
                cursor.execute("BEGIN")
            connection.set_autocommit(True)
        except DatabaseError as error:
            return type(error)
        finally:
            connection.close()
        return None

    one = database(MAX_CONNS=1)
    expected = outcome(connections["observer"])
    assert [outcome(one.connection) for _ in range(2)] == [expected] * 2


def test_conn_health_checks_ask_the_server_once_for_each_checkout(database: Any) -> None:
    one = database({"CONN_HEALTH_CHECKS": True}, MAX_CONNS=1)
    one.query("SELECT 1")
    one.connection.close()
    one.connection.force_debug_cursor = True
    asked = []
    is_usable = one.connection.is_usable
    one.connection.is_usable = lambda: (asked.append(1), is_usable())[1]
    one.query("SELECT 1")
    one.query("SELECT 1")
    assert len(asked) == 1


def test_a_cursor_of_one_borrower_cannot_reach_the_next_ones_transaction(database: Any) -> None:
    one = database(MAX_CONNS=1)
    stale = one.connection.cursor()
    one.connection.close()
    other = one.connection.copy()
    other.ensure_connection()
    with pytest.raises(InterfaceError):
        stale.execute("SELECT 1")
    other.close()


def test_an_iterator_left_in_a_failed_transaction_harms_nobody(database: Any) -> None:
    one = database(MAX_CONNS=1)
    items = Item.objects.using(one.alias)
    for number in range(5):
        items.create(name=f"left {number}")
    kept = []
    with pytest.raises(DataError), transaction.atomic(using=one.alias):
        left = items.all().iterator(chunk_size=2)
        kept.append(left)
        next(left)
        one.query("SELECT 1/0")
    one.connection.close()
    with transaction.atomic(using=one.alias):
        one.query("SELECT 1")
        kept.clear()
        del left
        gc.collect()
        assert one.query("SELECT 2") == 2
    items.all().delete()


@pytest.mark.session("ends its own connection, and the client learns nothing")
def test_a_connection_that_the_server_ended_is_not_lent_again(database: Any, observer: Any) -> None:
    one = database(MAX_CONNS=1)
    pid = one.query("SELECT pg_backend_pid()")
    observer("SELECT pg_terminate_backend(%s)", pid)
    until(lambda: pid not in one.sessions())
    with pytest.raises(Exception, match="terminat|closed|lost"):
        one.query("SELECT 1")
    one.connection.close()
    assert one.query("SELECT pg_backend_pid()") != pid


def test_closing_within_atomic_gives_the_connection_back_and_refuses_more(database: Any) -> None:
    one = database(MAX_CONNS=1)
    with transaction.atomic(using=one.alias):
        one.query("SELECT 1")
        one.connection.close()
        assert one.pool.stats().idle == 1
        assert one.connection.connection is None
        with pytest.raises(ProgrammingError):
            one.query("SELECT 1")
    assert one.query("SELECT 1") == 1


def test_connecting_again_gives_the_first_connection_back(database: Any) -> None:
    one = database(MAX_CONNS=1, WAIT_TIMEOUT=0)
    one.query("SELECT 1")
    one.connection.connect()
    assert one.pool.stats().in_use == 1
    one.connection.connection = None  # as some code does that wants to forget it
    assert one.query("SELECT 1") == 1


def test_connecting_again_in_vain_leaves_nothing_of_the_first_connection(database: Any) -> None:
    one = database(MAX_CONNS=1, WAIT_TIMEOUT=0.01)
    one.query("SELECT 1")
    other = one.connection.copy()
    give_back = one.connection._give_back

    def give_back_to_the_other() -> None:
        give_back()
        other.ensure_connection()

    one.connection._give_back = give_back_to_the_other
    with pytest.raises(PoolTimeout):
        one.connection.connect()
    assert one.connection.connection is None
    other.close()


def test_a_wrapper_that_is_dropped_gives_its_connection_back(database: Any) -> None:
    one = database(MAX_CONNS=1)
    copy = one.connection.copy()
    copy.ensure_connection()
    assert one.pool.stats().in_use == 1
    del copy
    gc.collect()
    until(lambda: one.pool.stats().idle == 1)


def test_a_wrapper_keeps_one_place_in_the_pool_whichever_pool_that_is(
    database: Any, monkeypatch: Any
) -> None:
    """It stays tied to its greenlet or thread, which may live for long, until it is replaced."""
    monkeypatch.setattr(base, "Checkout", WatchedCheckout)
    one = database(MAX_CONNS=1)

    def work() -> None:
        one.query("SELECT 1")
        first = weakref.ref(one.connection._checkout)
        one.connection.close()
        one.query("SELECT 1")
        assert one.connection._checkout is first()
        one.connection.close_pool()
        one.connection.settings_dict["OPTIONS"]["MAX_CONNS"] = 2
        one.query("SELECT 1")
        gc.collect()
        assert first() is None

    spawn(work).result()


def test_whoever_asks_in_vain_or_is_interrupted_keeps_the_same_place_in_the_pool(
    database: Any, monkeypatch: Any
) -> None:
    """A worker that lives for long and tries again and again would else keep one for each."""
    made = []
    monkeypatch.setattr(base, "Checkout", lambda *args: made.append(Checkout(*args)) or made[-1])
    one = database(MAX_CONNS=1, WAIT_TIMEOUT=0.01)
    pool = one.pool
    blocker = one.connection.copy()
    blocker.ensure_connection()
    for _ in range(3):
        with pytest.raises(PoolTimeout):
            one.connection.ensure_connection()
    blocker.close()
    release = pool.release

    def interrupted(checkout: Checkout) -> None:
        release(checkout)
        raise KeyboardInterrupt

    monkeypatch.setattr(pool, "release", interrupted)
    for _ in range(3):
        one.connection.ensure_connection()
        with pytest.raises(KeyboardInterrupt):
            one.connection.close()
    assert len(made) == 2 and pool.stats().idle == 1


def test_a_signal_handler_that_raises_in_a_checkout_leaves_the_wrapper_usable(
    database: Any, monkeypatch: Any
) -> None:
    """Celery's soft time limit does that to its processes, for example."""
    one = database(MAX_CONNS=1)
    one.query("SELECT 1")
    one.connection.close()
    with monkeypatch.context() as patch:
        patch.setattr(Session, "is_alive", lambda _: os.kill(os.getpid(), signal.SIGUSR1) or True)
        before = signal.signal(signal.SIGUSR1, interrupt)
        with pytest.raises(Interrupted):
            one.connection.ensure_connection()
        signal.signal(signal.SIGUSR1, before)
    assert one.pool.stats().in_use == 0
    assert one.query("SELECT 1") == 1


def test_of_those_who_share_a_wrapper_one_leaves_its_place_for_the_next(database: Any) -> None:
    one = database(MAX_CONNS=2)
    one.connection.ensure_connection()
    first = one.connection._checkout
    one.connection._checkout = one.connection.connection = None
    one.connection.ensure_connection()
    second = one.connection._checkout
    one.connection.close()
    one.connection._checkout = first
    one.connection._give_back()
    assert one.connection._last_checkout is second
    assert first.owner() is None and second.owner() is not None


@greenlets_only
def test_a_wrapper_that_was_shared_until_its_borrower_ended_keeps_its_connection(
    database: Any,
) -> None:
    """Also if the sharing ends in the moment in which the others hear of that end."""
    one = database(MAX_CONNS=1)
    wrapper = one.connection
    wrapper.inc_thread_sharing()
    task = spawn(lambda: wrapper.cursor().close())
    task.join()
    wrapper.dec_thread_sharing()
    pause()
    assert one.query("SELECT 1") == 1
    assert one.pool.stats().in_use == 1 and wrapper.connection is not None


def test_a_wrapper_that_is_shared_on_purpose_keeps_its_connection(database: Any) -> None:
    one = database(MAX_CONNS=1)

    def share() -> Any:
        one.connection.inc_thread_sharing()
        one.query("SELECT 1")
        return one.connection

    shared = spawn(share).result()
    pause(0.01)
    assert one.pool.stats().in_use == 1
    with shared.cursor() as cursor:
        cursor.execute("SELECT 1")
    shared.close()
    assert one.pool.stats().idle == 1


def test_close_old_connections_within_atomic_closes_nothing(database: Any) -> None:
    one = database(MAX_CONNS=1)
    with transaction.atomic(using=one.alias):
        pid = one.query("SELECT pg_backend_pid()")
        close_old_connections()
        with close_connection():
            pass
        assert one.query("SELECT pg_backend_pid()") == pid


def test_close_connection_is_harmless_with_another_engine(tmp_path: Path) -> None:
    settings = {**connections.settings["default"], "ENGINE": "django.db.backends.sqlite3"}
    connections.settings["other"] = {**settings, "NAME": str(tmp_path / "db"), "CONN_MAX_AGE": None}
    try:
        connections["other"].ensure_connection()
        with close_connection():
            pass
        assert connections["other"].connection is not None
    finally:
        connections["other"].close()
        del connections["other"], connections.settings["other"]


def test_close_connection_keeps_name_and_result_and_refuses_what_runs_later() -> None:
    @close_connection
    def add(one: int, other: int) -> int:
        """Adds."""
        return one + other

    async def coroutine() -> None: ...

    def generator() -> Iterator[int]:
        yield 1

    assert (add(1, other=2), add.__name__, add.__doc__) == (3, "add", "Adds.")
    for late in (coroutine, generator):
        with pytest.raises(TypeError, match=f"cannot decorate .*{late.__name__}"):
            close_connection(late)


def test_a_setting_is_read_where_it_stands_only_if_its_property_does_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from django.db.backends.postgresql.psycopg_any import is_psycopg3

    if not is_psycopg3:
        pytest.skip("psycopg2 has them in C: https://www.psycopg.org/docs/connection.html")
    import psycopg

    from django_db_geventpool.drivers import psycopg3

    connection = psycopg.Connection
    for name in psycopg3._SETTINGS:
        assert psycopg3._behind(name) == f"_{name}"  # of the psycopg that is installed
    for other in lambda self: bool(self._autocommit), lambda self: self.pgconn._autocommit, bool:
        monkeypatch.setattr(connection, "autocommit", property(other))
        assert psycopg3._behind("autocommit") == "autocommit"
