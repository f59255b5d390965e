"""Servers that refuse, fall silent, hang up or restart: no slot is lost, all are served after."""

from __future__ import annotations

import gc
from typing import Any, Callable

import pytest
from django.db import InterfaceError, OperationalError, transaction

from django_db_geventpool.errors import PoolError
from django_db_geventpool.session import END_TIMEOUT

from .plugin_hub import HUB
from .plugin_proxy import Proxy, RestartableServer
from .tasks import pause, spawn, until

greenlets_only = pytest.mark.skipif(
    HUB == "threads",
    reason="a thread cannot be killed: https://docs.python.org/3/library/threading.html",
)

#: A loaded machine may take so many seconds more than a time limit says.
SLACK = 10.0


def end_sessions(database: Any, observer: Any) -> None:
    """The server does not look for its client while a statement runs."""
    for pid in database.server_pids():
        observer("SELECT pg_terminate_backend(%s)", pid)


def is_outage(error: BaseException | None) -> bool:
    """What Django's users catch; and not what the pool says of itself."""
    return isinstance(error, (OperationalError, InterfaceError)) and not isinstance(
        error, PoolError
    )


class Loops:
    """Tasks that query again and again, whatever happens, until the block is over."""

    def __init__(self, database: Any, number: int, query: Callable[[], object]) -> None:
        self._database, self._query = database, query
        self._over = False
        self.served = [0] * number
        self.errors: list[BaseException] = []
        self._tasks = [spawn(self._loop, one) for one in range(number)]

    def _loop(self, one: int) -> None:
        while not self._over:
            try:
                self._query()
                self.served[one] += 1
            except Exception as error:
                self.errors.append(error)
            finally:
                self._database.connection.close()

    def all_served_from_now(self) -> None:
        """Wait until each of them has been served once more."""
        before = list(self.served)
        until(lambda: all(now > then for now, then in zip(self.served, before)))

    def __enter__(self) -> Loops:
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        for task in self._tasks:
            task.result()


# -- a server that cannot be reached


def test_a_refused_connect_is_an_error_and_loses_no_slot(database: Any, proxy: Proxy) -> None:
    two = database(proxy.settings, MAX_CONNS=2, WAIT_TIMEOUT=None)
    proxy.stop()
    for task in [spawn(two.query, "SELECT 1") for _ in range(6)]:
        assert is_outage(task.error())
    until(lambda: two.pool.stats().empty == 2)
    proxy.start()
    two.warm(2)


def test_a_reset_connect_is_an_error_and_loses_no_slot(database: Any, proxy: Proxy) -> None:
    two = database(proxy.settings, MAX_CONNS=2, WAIT_TIMEOUT=None)
    proxy.reset()
    for task in [spawn(two.query, "SELECT 1") for _ in range(6)]:
        assert is_outage(task.error())
    until(lambda: two.pool.stats().empty == 2)
    proxy.start()
    two.warm(2)


def test_connect_timeout_holds_against_a_deaf_server(database: Any, proxy: Proxy) -> None:
    two = database(proxy.settings, MAX_CONNS=2, WAIT_TIMEOUT=None, connect_timeout=1)
    proxy.deaf()
    for task in [spawn(two.query, "SELECT 1") for _ in range(2)]:
        assert is_outage(task.error())
    until(lambda: two.pool.stats().empty == 2)
    proxy.start()
    two.warm(2)


def test_after_an_outage_waiting_and_later_requests_are_served(
    database: Any, proxy: Proxy, observer: Any
) -> None:
    two = database(proxy.settings, MAX_CONNS=2)
    holding = [spawn(two.query, "SELECT pg_sleep(60)") for _ in range(2)]
    until(lambda: two.pool.stats().in_use == 2 and len(two.sessions()) == 2)
    waiting = [spawn(two.query, "SELECT 42") for _ in range(10)]
    until(lambda: two.pool.stats().waiting == 10)
    proxy.hang_up()
    for task in holding:
        assert is_outage(task.error())
    end_sessions(two, observer)
    for task in [*waiting, *(spawn(two.query, "SELECT 42") for _ in range(10))]:
        assert task.result() == 42


def test_idle_connections_that_were_cut_fail_no_query(database: Any, proxy: Proxy) -> None:
    three = database(proxy.settings, MAX_CONNS=3)
    three.warm(3)
    proxy.hang_up()
    for task in [spawn(three.query, "SELECT 42") for _ in range(6)]:
        assert task.result() == 42


# -- a server that fails in the middle


def test_a_connection_that_is_cut_in_mid_result_is_an_error_and_loses_no_slot(
    database: Any, proxy: Proxy
) -> None:
    one = database(proxy.settings, MAX_CONNS=1)
    assert one.query("SELECT 1") == 1
    proxy.cut(5000)
    with pytest.raises((OperationalError, InterfaceError)):
        one.query("SELECT repeat('x', 100000)")
    proxy.start()
    one.connection.close()
    assert one.query("SELECT 42") == 42
    one.connection.close()
    assert one.pool.stats().idle == 1


def test_a_connection_that_is_cut_in_a_transaction_loses_no_slot(
    database: Any, proxy: Proxy
) -> None:
    one = database(proxy.settings, MAX_CONNS=1)
    with pytest.raises((OperationalError, InterfaceError)), transaction.atomic(using=one.alias):
        one.query("SELECT 1")
        proxy.hang_up()
        one.query("SELECT 1")
    one.connection.close()  # Django has connected again, to switch autocommit on
    assert spawn(one.query, "SELECT 42").result() == 42


def test_a_slow_answer_is_a_right_one(database: Any, proxy: Proxy) -> None:
    two = database(proxy.settings, MAX_CONNS=2)
    two.warm(2)
    proxy.slow(1000, 0.001)
    sql = "SELECT string_agg(n::text, ' ') FROM generate_series(1, 5000) AS n"
    for task in [spawn(two.query, sql) for _ in range(4)]:
        assert task.result() == " ".join(map(str, range(1, 5001)))


# -- a server that falls silent


def fall_silent_half_open(proxy: Proxy) -> None:
    proxy.half_open()


def fall_silent(proxy: Proxy) -> None:
    proxy.deaf()


@greenlets_only
@pytest.mark.parametrize("silence", [fall_silent_half_open, fall_silent])
@pytest.mark.parametrize("number", [1, 25])
def test_tasks_killed_while_they_wait_for_a_silent_server_give_their_slots_back(
    database: Any, proxy: Proxy, observer: Any, silence: Callable[[Proxy], None], number: int
) -> None:
    """More of them than a hub has threads to cancel in."""
    some = database(proxy.settings, MAX_CONNS=number)
    tasks = [spawn(some.query, "SELECT pg_sleep(60)") for _ in range(number)]
    until(lambda: some.pool.stats().in_use == number and len(some.sessions()) == number)
    silence(proxy)
    gc.disable()
    try:
        for task in tasks:
            task.kill()
        until(lambda: some.pool.stats().empty == number, END_TIMEOUT + SLACK)
    finally:
        gc.enable()
    end_sessions(some, observer)
    proxy.start()
    assert some.query("SELECT 42") == 42


@greenlets_only
def test_a_rollback_on_a_silent_server_ends(
    database: Any, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django_db_geventpool.pool.RESET_TIMEOUT", 0.1)
    one = database(proxy.settings, MAX_CONNS=1)
    one.connection.set_autocommit(False)
    one.query("SELECT 1")
    proxy.deaf()
    one.connection.close()
    until(lambda: one.pool.stats().empty == 1, END_TIMEOUT + SLACK)
    proxy.start()
    assert one.query("SELECT 42") == 42


# -- connects after one that failed: one at a time, each begun within half a second of the last


def test_a_failed_connect_is_told_to_all_who_wait(database: Any, proxy: Proxy) -> None:
    five = database(proxy.settings, MAX_CONNS=5, WAIT_TIMEOUT=None)
    proxy.deaf()
    tasks = [spawn(five.query, "SELECT 1") for _ in range(30)]
    until(lambda: five.pool.stats().waiting == 30 and len(proxy.counts().connects) == 5)
    proxy.cut(0)  # all five fail, and any later one too
    for task in tasks:
        assert is_outage(task.error())
    assert len(proxy.counts().connects) == 5


def test_a_failed_connect_is_told_to_one_while_a_connection_is_held(
    database: Any, proxy: Proxy
) -> None:
    two = database(proxy.settings, MAX_CONNS=2, WAIT_TIMEOUT=None)
    two.query("SELECT 1")
    proxy.reset()
    tasks = [spawn(two.query, "SELECT 42") for _ in range(10)]
    until(lambda: not all(task.running for task in tasks))
    two.connection.close()
    errors = [error for task in tasks if (error := task.error()) is not None]
    assert all(is_outage(error) for error in errors)
    assert 1 <= len(errors) <= 3


def test_connects_during_an_outage_are_few_however_many_ask(database: Any, proxy: Proxy) -> None:
    ten = database(proxy.settings, MAX_CONNS=10)
    proxy.reset()
    with Loops(ten, 50, lambda: ten.query("SELECT 1")) as loops:
        pause(2)
        connects = len(proxy.counts().connects)
        proxy.start()
        loops.all_served_from_now()
    assert all(is_outage(error) for error in loops.errors)
    assert 2 <= connects <= 10 + 25
    assert len(ten.sessions()) <= 10


def test_one_connect_at_a_time_is_under_way_after_one_that_failed(
    database: Any, proxy: Proxy
) -> None:
    ten = database(proxy.settings, MAX_CONNS=10)
    proxy.reset()
    assert is_outage(spawn(ten.query, "SELECT 1").error())
    proxy.deaf()
    tasks = [spawn(ten.query, "SELECT 42") for _ in range(20)]
    until(lambda: len(proxy.counts().connects) >= 2)
    pause(0.7)  # more than the longest delay, so that a second one would be here
    assert len(proxy.counts().connects) == 2
    proxy.start()
    for task in tasks:
        assert task.result() == 42


# -- a server that restarts


@pytest.mark.parametrize("how", ["fast", "immediate"])
def test_no_request_fails_after_a_restart(
    database: Any, restartable_server: RestartableServer, how: str
) -> None:
    three = database(restartable_server.settings, MAX_CONNS=3)
    three.warm(3)
    restartable_server.restart(how)
    for task in [spawn(three.query, "SELECT 42") for _ in range(9)]:
        assert task.result() == 42


@pytest.mark.parametrize("how", ["fast", "immediate"])
def test_requests_during_a_restart_fail_in_the_usual_way_and_go_on_after(
    database: Any, restartable_server: RestartableServer, how: str
) -> None:
    four = database(restartable_server.settings, MAX_CONNS=4)

    def request() -> None:
        with transaction.atomic(using=four.alias):
            four.query("SELECT pg_sleep(0.001) IS NOT NULL")
        four.query("SELECT 42")

    with Loops(four, 12, request) as loops:
        loops.all_served_from_now()
        restartable_server.restart(how)
        loops.all_served_from_now()
    assert loops.errors
    assert {type(error) for error in loops.errors} <= {OperationalError, InterfaceError}
