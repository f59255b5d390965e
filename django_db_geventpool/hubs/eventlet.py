"""eventlet: waits on its hub's listeners."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from time import monotonic as monotonic
from typing import Any

import eventlet
from eventlet import event, greenthread, hubs, patcher, tpool

from . import READ, WRITE, Owner, OwnerReference, owner_of_greenlet

NAME = "eventlet"
IS_GREEN = True

_os = patcher.original("os")
_select = patcher.original("select")


_waits: dict[int, list[_Wait]] = {}  # who waits in wait_io(), by file descriptor
_ending: dict[int, Exception] = {}  # of end_waits(): nobody begins another wait for them


def make_lock() -> Any:
    return patcher.original("threading").RLock()


class EventletWaiter:
    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event = event.Event()

    def wait(self, timeout: float | None) -> None:
        self._event.wait(timeout)

    def wake(self) -> None:
        if not self._event.ready():
            self._event.send()


def make_waiter() -> EventletWaiter:
    return EventletWaiter()


def spawn(function: Callable[..., object], *args: object) -> None:
    eventlet.spawn_n(function, *args)


def call_soon(function: Callable[..., object], *args: object) -> None:
    hubs.get_hub().schedule_call_global(0, function, *args)


def call_later(seconds: float, function: Callable[[], object]) -> Callable[[], object]:
    cancel: Callable[[], object] = hubs.get_hub().schedule_call_global(seconds, function).cancel
    return cancel


def sleep(seconds: float) -> None:
    eventlet.sleep(seconds)


def limit(seconds: float) -> AbstractContextManager[Any]:
    timeout: AbstractContextManager[Any] = eventlet.Timeout(seconds, TimeoutError)
    return timeout


current_owner = greenthread.getcurrent


def on_owner_end(callback: Callable[[Any], object]) -> OwnerReference:
    owner = greenthread.getcurrent()
    if isinstance(owner, greenthread.GreenThread):
        owner.link(callback)
        return weakref.ref(owner)
    return weakref.ref(owner, callback)


def forget_owner(reference: OwnerReference, callback: Callable[[Any], object]) -> None:
    owner = reference()
    if isinstance(owner, greenthread.GreenThread):
        owner.unlink(callback)


def owner(reference: OwnerReference) -> Owner:
    return owner_of_greenlet(reference(), greenthread.getcurrent())


class _Wait:
    """One greenlet's wait, which whatever happens first brings to its end."""

    def __init__(self) -> None:
        self._greenlet: Any = greenthread.getcurrent()

    def end(self, ready: int) -> None:
        if self._greenlet is not None:
            self._greenlet.switch(ready)

    def throw(self, *error: Any) -> None:
        if self._greenlet is not None:
            self._greenlet.throw(*error)

    def is_over(self) -> None:
        self._greenlet = None


def keep_watcher(fd: int) -> Callable[[], object]:
    return lambda: None  # there is nothing that could be kept


def wait_io(fd: int, events: int, timeout: float | None) -> int:
    if fd in _ending:
        raise _ending[fd]
    hub = hubs.get_hub()
    wait = _Wait()
    waits = _waits.setdefault(fd, [])
    waits.append(wait)
    listeners = []
    timer = None
    try:
        # trampoline() refuses to wait for both directions at once, as psycopg 3 does on sending.
        for event_, kind in ((READ, hub.READ), (WRITE, hub.WRITE)):
            if events & event_:
                listeners.append(hub.add(kind, fd, _ends(wait, event_), wait.throw, None))
        if timeout is not None:
            timer = hub.schedule_call_global(timeout, wait.end, 0)
        ready: int = hub.switch()
        return ready
    finally:
        wait.is_over()
        waits.remove(wait)
        if not waits and _waits.get(fd) is waits:
            del _waits[fd]
        for listener in listeners:
            hub.remove(listener)
        if timer is not None:
            timer.cancel()


def _ends(wait: _Wait, ready: int) -> Callable[[int], object]:
    return lambda _fd: wait.end(ready)


def end_waits(fd: int, error: Exception) -> None:
    waits = _waits.pop(fd, ())
    for wait in waits:
        hubs.get_hub().schedule_call_global(0, wait.throw, error)
    if waits:
        _ending[fd] = error  # whoever is woken by something else before that would wait again
        try:
            sleep(0)
        finally:
            _ending.pop(fd, None)


def waited_fds() -> list[int]:
    return list(_waits)


def poller(fd: int) -> Callable[[], object]:
    poll = _select.poll()
    poll.register(fd, _select.POLLIN)
    return partial(poll.poll, 0)


def read_fd(fd: int) -> bytes:
    data: bytes = _os.read(fd, 65536)
    return data


def close_fd(fd: int) -> None:
    _os.close(fd)


def run_blocking(function: Callable[[], object], timeout: float) -> None:
    with eventlet.Timeout(timeout, False):
        tpool.execute(function)
