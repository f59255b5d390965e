"""gevent; ``gevent_io`` has its waits for file descriptors."""

from __future__ import annotations

import select
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from itertools import takewhile
from time import monotonic as monotonic
from typing import Any

import gevent
from gevent import Greenlet, get_hub, getcurrent, monkey
from gevent import hub as _hub

from . import Owner, OwnerReference, owner_of_greenlet
from .gevent_io import MAIN_THREAD_IDENT, get_ident, run_soon, soon
from .gevent_io import end_waits as end_waits
from .gevent_io import keep_watcher as keep_watcher
from .gevent_io import wait_io as wait_io
from .gevent_io import waited_fds as waited_fds

NAME = "gevent"
IS_GREEN = True
#: Seconds: libuv warns of timers that are shorter.
_LEAST = 0.001

_start_new_thread: Callable[..., int] = monkey.get_original("_thread", "start_new_thread")
_native: Any = monkey.get_original("_thread", "_local")()
_read: Callable[[int, int], bytes] = monkey.get_original("os", "read")
_close: Callable[[int], None] = monkey.get_original("os", "close")


def make_lock() -> Any:
    return monkey.get_original("_thread", "RLock")()


class GeventWaiter(_hub.Waiter):  # type: ignore[type-arg]
    __slots__ = ()

    def wait(self, timeout: float | None) -> None:
        if timeout is None:
            self.get()
            return
        waits = _waits.get(timeout)
        if waits is None or waits.hub is not self.hub:
            waits = _waits[timeout] = _Waits(self.hub, timeout)
        ends = waits.ends
        ends[self] = monotonic() + timeout
        if not waits.is_ticking:
            waits.tick(timeout)
        try:
            self.get()
        finally:
            ends.pop(self, None)
            if not ends:
                waits.stop()

    def wake(self) -> None:
        soon(self.hub)(self.switch, None)


make_waiter = GeventWaiter


class _Waits:
    """Those who wait equally long on one hub. One timer does: who came first is due first."""

    def __init__(self, hub: Any, seconds: float) -> None:
        self.hub = hub
        self._seconds = seconds
        self._timer: Any = None
        self.ends: dict[GeventWaiter, float] = {}
        self.is_ticking = False

    def tick(self, seconds: float) -> None:
        self._timer = self.hub.loop.timer(seconds)
        # update: the loop's idea of "now" is as old as its last turn, and a busy hub would
        # otherwise cut the wait short by that much.
        self._timer.start(self._ring, update=True)
        self.is_ticking = True

    def stop(self) -> None:
        self._timer.close()
        self.is_ticking = False
        if _waits.get(self._seconds) is self:
            _waits.pop(self._seconds, None)

    def _ring(self) -> None:
        self._timer.close()
        self.is_ticking = False
        now = monotonic()
        due = list(takewhile(lambda waiter: self.ends[waiter] <= now, self.ends))
        for waiter in due:
            del self.ends[waiter]
        for end in self.ends.values():
            self.tick(max(end - now, _LEAST))
            break
        for waiter in due:
            waiter.switch(None)


#: By their seconds, of the hub that asked last: mostly there is one. Those of another go on.
_waits: dict[float, _Waits] = {}


def spawn(function: Callable[..., object], *args: object) -> None:
    if get_ident() == MAIN_THREAD_IDENT:
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
    if get_ident() == MAIN_THREAD_IDENT:
        run_soon(get_hub(), function, *args)
    else:
        spawn(function, *args)


def call_later(seconds: float, function: Callable[[], object]) -> Callable[[], object]:
    if get_ident() != MAIN_THREAD_IDENT:
        return _call_later_in_a_thread(seconds, function)
    hub: Any = get_hub()
    timer = hub.loop.timer(max(seconds, _LEAST), ref=False)
    timer.start(function, update=True)
    return partial(run_soon, hub, timer.close)


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


current_owner = getcurrent


def on_owner_end(callback: Callable[[Any], object]) -> OwnerReference:
    owner = getcurrent()
    if isinstance(owner, Greenlet):
        owner.rawlink(callback)
        return weakref.ref(owner)
    # A raw greenlet (gevent.spawn_raw) has no links, but is freed when it ends; a native thread's
    # storage is, too.
    return weakref.ref(owner if get_ident() == MAIN_THREAD_IDENT else _presence(), callback)


def forget_owner(reference: OwnerReference, callback: Callable[[Any], object]) -> None:
    owner = reference()
    if isinstance(owner, Greenlet):
        owner.unlink(callback)


def owner(reference: OwnerReference) -> Owner:
    one = reference()
    if isinstance(one, _Presence):
        return Owner("a native thread")
    return owner_of_greenlet(one, getcurrent())


class _Presence:
    """Lives in a native thread's storage, and so exactly as long as the thread."""


def _presence() -> _Presence:
    if not hasattr(_native, "presence"):
        _native.presence = _Presence()
    presence: _Presence = _native.presence
    return presence


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
