"""Waiting for a file descriptor on each hub, with a kept watcher and without."""

from __future__ import annotations

import _socket
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable

import pytest

from django_db_geventpool import hubs
from django_db_geventpool.hubs import READ, WRITE

from .plugin_hub import HUB
from .tasks import pause, spawn

HUB_MODULE: Any = hubs.load()
Ends = tuple[int, int]

wakes_others = pytest.mark.skipif(
    HUB == "threads", reason="no thread can be woken up: https://docs.python.org/3/library/select"
)


@pytest.fixture(
    params=["kept", "made for each wait"] if HUB == "gevent" else ["made for each wait"]
)
def watch(request: pytest.FixtureRequest) -> Iterator[Callable[[int], object]]:
    """Call it with the descriptor that will be waited for."""
    ended: list[Callable[[], object]] = []
    if request.param == "kept":
        yield lambda fd: ended.append(HUB_MODULE.keep_watcher(fd))
    else:
        yield lambda fd: None
    for end in ended:
        end()


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_a_wait_ends_when_there_is_something_to_read(watch: Any, ends: Any) -> None:
    ours, theirs = ends
    watch(ours.fileno())
    for _ in range(3):
        task = spawn(HUB_MODULE.wait_io, ours.fileno(), READ, None)
        pause()
        assert task.running
        theirs.send(b"x")
        assert task.result() == READ
        ours.recv(1)


def test_a_wait_for_both_tells_what_is_ready(watch: Any, ends: Any) -> None:
    ours, theirs = ends
    watch(ours.fileno())
    assert HUB_MODULE.wait_io(ours.fileno(), READ | WRITE, None) == WRITE
    theirs.send(b"x")
    assert HUB_MODULE.wait_io(ours.fileno(), READ, 10) == READ


def test_a_wait_with_a_time_limit_ends_by_itself(watch: Any, ends: Any) -> None:
    watch(ends[0].fileno())
    assert HUB_MODULE.wait_io(ends[0].fileno(), READ, 0.01) == 0


def test_two_can_wait_for_the_same_unless_the_hub_refuses(watch: Any, ends: Any) -> None:
    ours, theirs = ends
    watch(ours.fileno())
    one, other = (spawn(HUB_MODULE.wait_io, ours.fileno(), READ, None) for _ in range(2))
    pause()
    theirs.send(b"x")
    assert one.result() == READ
    if HUB == "eventlet":
        assert "Second simultaneous read" in str(other.error())
    else:
        assert other.result() == READ


@wakes_others
def test_whoever_waits_is_told_that_it_is_about_to_be_closed(watch: Any, ends: Any) -> None:
    fd = ends[0].fileno()
    watch(fd)
    task = spawn(HUB_MODULE.wait_io, fd, READ, None)
    pause()
    assert HUB_MODULE.waited_fds() == [fd]
    HUB_MODULE.end_waits(fd, ConnectionError("about to be closed"))
    assert str(task.error()) == "about to be closed"
    assert HUB_MODULE.waited_fds() == []


def answered_and_ended_at_once(
    watch: Any, ends: Any, wait: Callable[[], object]
) -> Iterator[list[str]]:
    """In each order: the answer, and what ends the wait, come in one turn of the hub.

    Gives the errors of *wait*, and of who has ended it.
    """
    ours, theirs = ends
    mine, other = socket.socketpair()
    watch(ours.fileno())

    def end() -> None:
        HUB_MODULE.wait_io(mine.fileno(), READ, None)
        HUB_MODULE.end_waits(ours.fileno(), ConnectionError("about to be closed"))

    with mine, other:
        for functions in ((wait, end), (end, wait)):
            for first, second in ((theirs, other), (other, theirs)):
                tasks = [spawn(function) for function in functions]
                pause()
                first.send(b"x")
                second.send(b"x")
                yield [str(task.error()) for task in tasks if task.error() is not None]
                ours.recv(1)
                mine.recv(1)
                watch(ours.fileno())


@wakes_others
def test_whoever_has_its_answer_is_not_told(watch: Any, ends: Any) -> None:
    going_on: list[int] = []

    def wait() -> None:
        going_on.append(HUB_MODULE.wait_io(ends[0].fileno(), READ, None))
        pause(0.05)

    for errors in answered_and_ended_at_once(watch, ends, wait):
        assert errors == ([] if going_on else ["about to be closed"])
        going_on.clear()


@wakes_others
def test_whoever_has_its_answer_and_waits_again_is_told(watch: Any, ends: Any) -> None:
    """Otherwise the descriptor would be closed under that wait, which libev aborts for."""

    def wait() -> None:
        while True:
            HUB_MODULE.wait_io(ends[0].fileno(), READ, None)

    for errors in answered_and_ended_at_once(watch, ends, wait):
        assert errors == ["about to be closed"]
        assert HUB_MODULE.waited_fds() == []


@wakes_others
def test_a_killed_wait_leaves_nothing_behind(watch: Any, ends: Any) -> None:
    ours, theirs = ends
    watch(ours.fileno())
    task = spawn(HUB_MODULE.wait_io, ours.fileno(), READ, None)
    pause()
    task.kill()
    assert HUB_MODULE.waited_fds() == []
    theirs.send(b"x")
    assert HUB_MODULE.wait_io(ours.fileno(), READ, 10) == READ


@contextmanager
def new_owner(fd: int) -> Iterator[tuple[Any, Any]]:
    """A connection that gets the number *fd*: the task that waits to read, and its other end."""
    ours, theirs = _socket.socketpair()  # not the hub's, which are closed a little later
    assert ours.fileno() == fd
    assert HUB_MODULE.wait_io(fd, WRITE, None) == WRITE  # with this every connect begins
    task = spawn(HUB_MODULE.wait_io, fd, READ, None)
    pause()
    yield task, theirs
    ours.close()
    theirs.close()


def test_the_new_owner_of_a_number_waits_on_when_the_old_one_is_forgotten() -> None:
    """libpq has closed the socket long before the pool hears that the server is gone."""
    ours, theirs = _socket.socketpair()
    fd = ours.fileno()
    forget = HUB_MODULE.keep_watcher(fd)
    ours.close()
    theirs.close()
    with new_owner(fd) as (task, other):
        forget()
        pause()
        other.send(b"x")
        assert task.result() == READ


@pytest.mark.parametrize("interrupted", [False, True], ids=["at rest", "interrupted"])
def test_the_number_of_a_closed_one_can_be_waited_for_again(watch: Any, interrupted: bool) -> None:
    """As when a driver closes a connection itself, and another one gets its number."""
    ours, theirs = _socket.socketpair()
    fd = ours.fileno()
    watch(fd)
    theirs.send(b"x")
    assert HUB_MODULE.wait_io(fd, READ, None) == READ
    ours.recv(1)
    if interrupted and HUB != "threads":
        task = spawn(HUB_MODULE.wait_io, fd, READ, None)
        pause()
        task.kill()
    ours.close()
    with new_owner(fd) as (task, other):
        other.send(b"x")
        assert task.result() == READ
    theirs.close()
