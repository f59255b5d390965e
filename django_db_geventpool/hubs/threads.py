"""Plain threads: nothing is patched (management commands, runserver, a test run)."""

from __future__ import annotations

import os
import select
import threading
import weakref
from contextlib import AbstractContextManager
from typing import Any, Callable

from . import READ, WRITE

NAME = "threads"
IS_GREEN = False

_local = threading.local()


class _Presence:
    """Lives in a thread's local storage, and so exactly as long as the thread."""


def make_lock() -> AbstractContextManager[Any]:
    return threading.Lock()


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


def spawn(function: Callable[..., object], *args: object) -> object:
    # Without greenlets there is nobody to do it meanwhile, and a thread for each closed
    # connection would cost more than the wait.
    return function(*args)


def on_owner_end(callback: Callable[[], object]) -> Callable[[], object]:
    presence = getattr(_local, "presence", None)
    if presence is None:
        presence = _local.presence = _Presence()
    reference = weakref.ref(presence, lambda _: callback())
    return lambda: reference  # the closure keeps the weak reference, and so its callback, alive


def wait_io(fd: int, events: int, timeout: float | None) -> int:
    poll = select.poll()
    poll.register(
        fd, (select.POLLIN if events & READ else 0) | (select.POLLOUT if events & WRITE else 0)
    )
    ready = poll.poll(None if timeout is None else timeout * 1000)
    # An error or hang-up counts as ready: the next read or write will tell.
    return events if ready else 0


def read_fd(fd: int) -> bytes:
    return os.read(fd, 65536)


def close_fd(fd: int) -> None:
    os.close(fd)


def run_blocking(function: Callable[[], object], timeout: float) -> None:
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    thread.join(timeout)
