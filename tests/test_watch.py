"""Who holds a connection, and the warnings of those who hold it for long and wait for long."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from threading import Event
from typing import Any

import pytest
from django.core.signals import request_started

from django_db_geventpool.watch import request

from .plugin_hub import HUB
from .plugin_world import Client, make_pool
from .tasks import spawn, until
from .world import Opener, World


def warnings(caplog: pytest.LogCaptureFixture, about: str) -> list[str]:
    return [text for text in caplog.messages if about in text]


@pytest.fixture
def path() -> Iterator[None]:
    """The request of a test's own context is forgotten after it."""
    token = request.set("")
    yield
    request.reset(token)


def test_whoever_holds_a_connection_is_named_with_its_request_and_where_it_is(
    database: Any, path: None
) -> None:
    one, go_on = database(MAX_CONNS=2, LEAK_THRESHOLD=60), Event()

    def handler() -> None:
        request_started.send(
            None, environ={"REQUEST_METHOD": "GET", "PATH_INFO": "/a\nb", "QUERY_STRING": "key=1"}
        )
        one.query("SELECT 1")
        go_on.wait(30)
        one.connection.close()

    assert one.pool.holders() == []
    task = spawn(handler)
    until(lambda: one.pool.holders())
    (holder,) = one.pool.holders()
    is_seen = sys.implementation.name != "pypy"  # which does not show a greenlet at rest
    if HUB != "threads" and is_seen:  # a thread does not show its context
        assert holder.request == "GET /a%0Ab"
        assert holder.who == f"{holder.name} (GET /a%0Ab)"
    if HUB == "threads" or is_seen:
        assert "in handler" in holder.stack
    assert holder.seconds >= 0
    assert [each.stack for each in one.pool.holders(stacks=0)] == [""]
    go_on.set()
    task.result()
    assert one.pool.holders() == []


def test_without_leak_threshold_nobodys_stack_is_shown(database: Any) -> None:
    one = database(MAX_CONNS=2)
    one.query("SELECT 1")
    (holder,) = one.pool.holders()
    assert holder.name and holder.stack == ""
    one.connection.close()


def test_a_loan_beyond_leak_threshold_is_a_warning_once_and_stays_where_it_is(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    pool = make_pool(world, MAX_CONNS=2, LEAK_THRESHOLD=6)
    client = Client(world, pool)
    world.pass_time(5.9)
    assert not warnings(caplog, "has held")
    world.pass_time(20)
    (warning,) = warnings(caplog, "has held")
    assert warning.startswith("pool 'timed': a task has held a connection for 6.0 s")
    assert pool.stats().in_use == 1
    client.give()


def test_each_loan_has_its_own_warning(world: World, caplog: pytest.LogCaptureFixture) -> None:
    pool = make_pool(world, MAX_CONNS=2, LEAK_THRESHOLD=6)
    first = Client(world, pool)
    world.pass_time(3)
    second = Client(world, pool)
    world.pass_time(4)
    assert len(warnings(caplog, "has held")) == 1
    world.pass_time(3)
    assert len(warnings(caplog, "has held")) == 2
    first.give()
    third = Client(world, pool)
    world.pass_time(6)
    assert len(warnings(caplog, "has held")) == 3
    second.give()
    third.give()


def test_a_loan_that_ends_in_time_is_no_warning(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    pool = make_pool(world, MAX_CONNS=2, LEAK_THRESHOLD=6)
    client = Client(world, pool)
    world.pass_time(5.9)
    client.give()
    world.pass_time(20)
    assert not warnings(caplog, "has held")


def test_a_long_wait_is_a_warning_while_it_lasts_with_the_numbers(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    pool = make_pool(world, MAX_CONNS=1)
    holder = Client(world, pool)
    world.pass_time(5)
    waiting, late = Client(world, pool), Client(world, pool)
    world.pass_time(0.9)
    assert not warnings(caplog, "has been waiting")
    world.pass_time(0.1)
    (warning,) = warnings(caplog, "has been waiting")
    assert warning == (
        "pool 'timed' is exhausted: somebody has been waiting 1.0 s for a connection "
        "(MAX_CONNS 1, 1 in use, 0 idle, 0 opening, 0 closing, 2 waiting)"
    )
    for client in (holder, waiting, late):
        client.give()
        world.settle()


def test_it_warns_of_long_waits_once_a_minute(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    pool = make_pool(world, MAX_CONNS=1, WAIT_TIMEOUT=5)
    holder = Client(world, pool)
    for _ in range(18):  # 90 seconds: one waits after the other, each in vain
        waiting = Client(world, pool)
        world.pass_time(5)
        assert waiting.error is not None
    holder.give()
    assert len(warnings(caplog, "is exhausted")) == 2


def test_who_begins_to_wait_while_it_is_warned_of_is_no_second_warning(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = make_pool(world, MAX_CONNS=1)
    clients = [Client(world, pool), Client(world, pool)]
    monkeypatch.setattr(caplog.handler, "emit", lambda record: pool._exhaustion.waits())
    world.pass_time(1)
    monkeypatch.undo()
    world.pass_time(20)
    assert not warnings(caplog, "has been waiting")
    for client in clients:
        client.give()


def test_those_who_wait_though_there_are_slots_are_warned_of_in_other_words(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    pool, opener = make_pool(world, MAX_CONNS=2), Opener(world)
    connect = opener.connect
    opener.connect = lambda: (world.sleep(3), connect())[1]  # type: ignore[method-assign]
    waiting = Client(world, pool, opener)
    world.pass_time(2)
    (warning,) = warnings(caplog, "has been waiting")
    assert warning == (
        "pool 'timed' lets callers wait: somebody has been waiting 1.0 s for a connection "
        "(MAX_CONNS 2, 0 in use, 0 idle, 1 opening, 0 closing, 1 waiting)"
    )
    world.pass_time(2)
    waiting.give()


def test_a_short_wait_is_none(world: World, caplog: pytest.LogCaptureFixture) -> None:
    pool = make_pool(world, MAX_CONNS=1)
    holder, waiting = Client(world, pool), Client(world, pool)
    world.pass_time(0.9)
    holder.give()
    waiting.give()
    assert not warnings(caplog, "has been waiting")
