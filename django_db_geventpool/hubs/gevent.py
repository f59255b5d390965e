"""gevent: waits on the hub's own watchers."""

from __future__ import annotations

import select
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import gevent
from gevent import monkey
from gevent.hub import Waiter as _Switch

NAME = "gevent"
IS_GREEN = True

_read: Callable[[int, int], bytes] = monkey.get_original("os", "read")
_close: Callable[[int], None] = monkey.get_original("os", "close")


def make_lock() -> AbstractContextManager[Any]:
    lock: AbstractContextManager[Any] = monkey.get_original("_thread", "allocate_lock")()
    return lock


class GeventWaiter:
    __slots__ = ("_hub", "_switch")

    def __init__(self) -> None:
        self._hub: Any = gevent.get_hub()
        self._switch: Any = _Switch(self._hub)

    def wait(self, timeout: float | None) -> None:
        if timeout is None:
            self._switch.get()
            return
        timer = self._hub.loop.timer(timeout)
        # update: the loop's idea of "now" is as old as its last turn, and a busy hub would
        # otherwise cut the wait short by that much.
        timer.start(self._switch.switch, None, update=True)
        try:
            self._switch.get()
        finally:
            timer.close()

    def wake(self) -> None:
        _run_soon(self._hub, self._switch.switch, None)


def _run_soon(hub: Any, function: Callable[..., object], *args: object) -> None:
    """In *hub*'s next turn; a hub of another native thread must be woken up for it."""
    if gevent.get_hub() is hub:
        hub.loop.run_callback(function, *args)
    else:
        hub.loop.run_callback_threadsafe(function, *args)


def make_waiter() -> GeventWaiter:
    return GeventWaiter()


def spawn(function: Callable[..., object], *args: object) -> None:
    gevent.spawn(function, *args)


def call_soon(function: Callable[[], object]) -> None:
    _run_soon(gevent.get_hub(), function)


def limit(seconds: float) -> AbstractContextManager[Any]:
    timeout: AbstractContextManager[Any] = gevent.Timeout(seconds, TimeoutError)
    return timeout


def on_owner_end(callback: Callable[..., object]) -> Callable[[], object]:
    owner = gevent.getcurrent()
    if isinstance(owner, gevent.Greenlet):
        owner.rawlink(callback)
        return partial(owner.unlink, callback)
    # A raw greenlet (gevent.spawn_raw, a thread's main greenlet) has no links. It is freed when
    # it ends, maybe inside a garbage collection, hence the detour over the hub.
    hub = gevent.get_hub()
    reference = weakref.ref(owner, lambda _: _run_soon(hub, callback))
    return lambda: reference  # the closure keeps the weak reference, and so its callback, alive


def wait_io(fd: int, events: int, timeout: float | None) -> int:
    hub: Any = gevent.get_hub()
    switch: Any = _Switch(hub)
    watcher = hub.loop.io(fd, events)
    timer = None
    try:
        watcher.start(switch.switch, pass_events=True)
        if timeout is not None:
            timer = hub.loop.timer(timeout)
            timer.start(switch.switch, 0, update=True)
        ready: int = switch.get()
        return ready & events
    finally:
        watcher.close()
        if timer is not None:
            timer.close()


def poller(fd: int) -> Callable[[], object]:
    poll = monkey.get_original("select", "poll")()
    poll.register(fd, select.POLLIN)
    return partial(poll.poll, 0)


def read_fd(fd: int) -> bytes:
    return _read(fd, 65536)


def close_fd(fd: int) -> None:
    _close(fd)


def run_blocking(function: Callable[[], object], timeout: float) -> None:
    gevent.get_hub().threadpool.spawn(function).wait(timeout)
