"""Plain threads: nothing is patched (management commands, runserver, a test run)."""

from __future__ import annotations

import os
import select
import selectors
import sys
import threading
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from time import monotonic as monotonic
from time import sleep as sleep
from typing import Any

from . import Owner, OwnerReference

NAME = "threads"
IS_GREEN = False

_local = threading.local()


class _Presence:
    """Lives in a thread's local storage, and so exactly as long as the thread."""

    def __init__(self) -> None:
        self.thread = threading.current_thread()


def make_lock() -> Any:
    return threading.RLock()


class ThreadWaiter:
    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event = threading.Event()

    def wait(self, timeout: float | None) -> None:
        self._event.wait(timeout)

    def wake(self) -> None:
        self._event.set()


def make_waiter() -> ThreadWaiter:
    return ThreadWaiter()


def spawn(function: Callable[..., object], *args: object) -> None:
    if sys.is_finalizing():
        return  # a thread would never start, before Python 3.12 start() would not even return
    try:
        threading.Thread(target=function, args=args, daemon=True).start()
    except RuntimeError:  # no more threads to be had: then in this one
        function(*args)


def call_soon(function: Callable[..., object], *args: object) -> None:
    spawn(function, *args)


def call_later(seconds: float, function: Callable[[], object]) -> Callable[[], object]:
    timer = threading.Timer(seconds, function)
    timer.daemon = True
    if not sys.is_finalizing():
        timer.start()
    return timer.cancel


def limit(seconds: float) -> AbstractContextManager[Any]:
    return nullcontext()  # nothing can interrupt a thread


def current_owner() -> _Presence:
    presence: _Presence | None = getattr(_local, "presence", None)
    if presence is None:
        presence = _local.presence = _Presence()
    return presence


def on_owner_end(callback: Callable[[Any], object]) -> OwnerReference:
    return weakref.ref(current_owner(), callback)


def forget_owner(reference: OwnerReference, callback: Callable[[Any], object]) -> None:
    pass  # whoever drops the reference is not called


def owner(reference: OwnerReference) -> Owner:
    presence = reference()
    if presence is None:
        return Owner("a thread that has ended")
    thread = presence.thread
    return Owner(thread.name, sys._current_frames().get(thread.ident or 0))


def keep_watcher(fd: int) -> Callable[[], object]:
    return lambda: None  # there is nothing that could be kept


def wait_io(fd: int, events: int, timeout: float | None) -> int:
    with selectors.DefaultSelector() as selector:
        selector.register(fd, events)  # its EVENT_READ and EVENT_WRITE are our READ and WRITE
        return sum(ready for _, ready in selector.select(timeout))


def end_waits(fd: int, error: Exception) -> None:
    pass


def waited_fds() -> list[int]:
    return []  # a child has no thread of its parent's but the one that forked


def poller(fd: int) -> Callable[[], object]:
    if not hasattr(select, "poll"):  # Windows; and eventlet takes it away
        return lambda: select.select([fd], [], [], 0)[0]
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return partial(poll.poll, 0)


def read_fd(fd: int) -> bytes:
    return os.read(fd, 65536)


def close_fd(fd: int) -> None:
    os.close(fd)


def run_blocking(function: Callable[[], object], timeout: float) -> None:
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    thread.join(timeout)
