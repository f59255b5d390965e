"""Handlers that are killed, as a worker does it whose graceful timeout is over."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from threading import Event
from typing import Any

import pytest
from django.db import transaction

from .plugin_hub import HUB
from .tasks import spawn, until

pytestmark = pytest.mark.skipif(
    HUB == "threads",
    reason="a thread cannot be killed: https://docs.python.org/3/library/threading.html",
)


@pytest.fixture(autouse=True)
def without_garbage_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


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
