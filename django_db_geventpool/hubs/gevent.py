"""gevent: waits on the hub's own watchers."""

from __future__ import annotations

import select
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from time import monotonic as monotonic
from typing import Any

import gevent
from gevent import get_hub, getcurrent, monkey
from gevent import hub as _hub

from . import READ

NAME = "gevent"
IS_GREEN = True

MAIN_THREAD_IDENT: int = vars(_hub)["MAIN_THREAD_IDENT"]

_get_ident: Callable[[], int] = monkey.get_original("_thread", "get_ident")
_start_new_thread: Callable[..., int] = monkey.get_original("_thread", "start_new_thread")
_native: Any = monkey.get_original("_thread", "_local")()
_read: Callable[[int, int], bytes] = monkey.get_original("os", "read")
_close: Callable[[int], None] = monkey.get_original("os", "close")


_waits: dict[int, list[Any]] = {}  # who waits in _wait_once(), by file descriptor
_kept: dict[int, tuple[Any, Any]] = {}  # the pools' connections: a hub, and its watcher for each


def make_lock() -> AbstractContextManager[Any]:
    lock: AbstractContextManager[Any] = monkey.get_original("_thread", "allocate_lock")()
    return lock


class GeventWaiter:
    __slots__ = ("_hub", "_switch")

    def __init__(self) -> None:
        self._hub: Any = get_hub()
        self._switch: Any = _hub.Waiter(self._hub)

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
    if get_hub() is hub:
        hub.loop.run_callback(function, *args)
    else:
        hub.loop.run_callback_threadsafe(function, *args)


def make_waiter() -> GeventWaiter:
    return GeventWaiter()


def spawn(function: Callable[..., object], *args: object) -> None:
    if _get_ident() == MAIN_THREAD_IDENT:
        gevent.spawn(function, *args)
    else:  # gevent.threadpool's: that hub runs only while its thread waits on it, maybe never again
        try:
            _start_new_thread(_in_a_thread, (function, args))
        except RuntimeError:  # no more threads to be had: then in this one
            function(*args)


def _in_a_thread(function: Callable[..., object], args: tuple[object, ...]) -> None:
    try:
        function(*args)
    finally:
        get_hub().destroy(destroy_loop=True)


def call_soon(function: Callable[..., object], *args: object) -> None:
    if _get_ident() == MAIN_THREAD_IDENT:
        _run_soon(get_hub(), function, *args)
    else:
        spawn(function, *args)


def call_later(seconds: float, function: Callable[[], object]) -> Callable[[], object]:
    if _get_ident() != MAIN_THREAD_IDENT:
        return _call_later_in_a_thread(seconds, function)
    hub: Any = get_hub()
    timer = hub.loop.timer(seconds, ref=False)
    timer.start(function, update=True)
    return partial(_run_soon, hub, timer.close)


def _call_later_in_a_thread(seconds: float, function: Callable[[], object]) -> Callable[[], object]:
    bell = monkey.get_original("_thread", "allocate_lock")()
    bell.acquire()

    def wait() -> None:
        if not bell.acquire(timeout=seconds):
            function()

    _start_new_thread(_in_a_thread, (wait, ()))
    return partial(_release, bell)


def _release(lock: Any) -> None:
    if lock.locked():
        lock.release()


def sleep(seconds: float) -> None:
    gevent.sleep(seconds)


def limit(seconds: float) -> AbstractContextManager[Any]:
    timeout: AbstractContextManager[Any] = gevent.Timeout(seconds, TimeoutError)
    return timeout


def on_owner_end(callback: Callable[..., object]) -> Callable[[], object]:
    owner = getcurrent()
    if isinstance(owner, gevent.Greenlet):
        owner.rawlink(callback)
        return partial(owner.unlink, callback)
    # A raw greenlet (gevent.spawn_raw) has no links, but is freed when it ends; a native thread's
    # storage is, too. That may be inside a garbage collection, hence the detour over the hub.
    watched = owner if _get_ident() == MAIN_THREAD_IDENT else _presence()
    reference = weakref.ref(watched, lambda _: call_soon(callback))
    return lambda: reference  # the closure keeps the weak reference, and so its callback, alive


class _Presence:
    """Lives in a native thread's storage, and so exactly as long as the thread."""


def _presence() -> _Presence:
    if not hasattr(_native, "presence"):
        _native.presence = _Presence()
    presence: _Presence = _native.presence
    return presence


def keep_watcher(fd: int) -> Callable[[], object]:
    if _get_ident() != MAIN_THREAD_IDENT:
        return lambda: None  # the hub of such a thread may end long before the connection
    hub: Any = get_hub()
    # libev hears of the end of a descriptor, and of another one with its number, only by a new
    # watcher. Whoever connects waits to write first, and _wait_once() makes one for that.
    kept = _kept[fd] = hub, hub.loop.io(fd, READ)
    return partial(_drop, fd, kept)


def _drop(fd: int, kept: tuple[Any, Any]) -> None:
    if _kept.get(fd) is kept:  # the number may belong to another connection by now
        del _kept[fd]
    hub, watcher = kept
    _run_soon(hub, watcher.close)


def wait_io(fd: int, events: int, timeout: float | None) -> int:
    hub: Any = get_hub()
    kept = _kept.get(fd)
    if (
        kept is None
        or timeout is not None
        or events != READ
        or kept[0] is not hub
        or kept[1].active  # two wait for one connection
    ):
        return _wait_once(hub, fd, events, timeout)
    watcher = kept[1]
    try:
        watcher.start(getcurrent().switch)
        hub.switch()  # if something else switches back here, the driver finds nothing and waits on
    except BaseException:  # psycopg2 closes the connection then: the number is free for another
        if _kept.get(fd) is kept:
            del _kept[fd]
        raise
    finally:
        watcher.stop()
    return READ


def _wait_once(hub: Any, fd: int, events: int, timeout: float | None) -> int:
    switch: Any = _hub.Waiter(hub)
    watcher = hub.loop.io(fd, events)
    timer = None
    waits = _waits.setdefault(fd, [])
    waits.append(switch)
    try:
        watcher.start(switch.switch, pass_events=True)
        if timeout is not None:
            timer = hub.loop.timer(timeout)
            timer.start(switch.switch, 0, update=True)
        ready: int = switch.get()
        return ready & events
    finally:
        waits.remove(switch)
        if not waits and _waits.get(fd) is waits:
            del _waits[fd]
        watcher.close()
        if timer is not None:
            timer.close()


def end_waits(fd: int, error: Exception) -> None:
    waits = [(switch.hub, switch.throw) for switch in _waits.pop(fd, ())]
    kept = _kept.pop(fd, None)
    if kept is not None and kept[1].active:
        waits.append((kept[0], kept[1].callback.__self__.throw))
    for hub, throw in waits:
        _run_soon(hub, throw, error)
    if waits:
        sleep(0)


def waited_fds() -> list[int]:
    return [*_waits, *(fd for fd, (_, watcher) in _kept.items() if watcher.active)]


def poller(fd: int) -> Callable[[], object]:
    poll = monkey.get_original("select", "poll")()
    poll.register(fd, select.POLLIN)
    return partial(poll.poll, 0)


def read_fd(fd: int) -> bytes:
    return _read(fd, 65536)


def close_fd(fd: int) -> None:
    _close(fd)


def run_blocking(function: Callable[[], object], timeout: float) -> None:
    get_hub().threadpool.spawn(function).wait(timeout)
