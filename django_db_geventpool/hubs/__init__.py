"""The concurrency library under the pool: one module each, all with the names of :class:`Hub`.

Which one is in charge is read off what has been *patched*, or named by ``OPTIONS["HUB"]``; never
off which import fails, because gevent and eventlet are often installed side by side.
"""

from __future__ import annotations

import importlib
import sys
from contextlib import AbstractContextManager
from contextvars import Context, copy_context
from types import FrameType
from typing import Any, Callable, NamedTuple, Protocol, cast

from django.core.exceptions import ImproperlyConfigured

#: Bits of the events that :meth:`Hub.wait_io` takes and returns; psycopg's Wait and Ready agree.
READ, WRITE = 1, 2


class Owner(NamedTuple):
    """A greenlet or thread, as far as it can be told from another one."""

    name: str
    frame: FrameType | None = None
    """Where it is now."""
    context: Context | None = None


#: Gives whose end is waited for. Weakly: some end by being freed.
OwnerReference = Callable[[], Any]


def owner_of_greenlet(one: Any, current: object) -> Owner:
    """Of gevent's or eventlet's, or of a raw one; None if it is no more."""
    if one is None:
        return Owner("a greenlet that has ended")
    name = getattr(one, "name", None) or f"{type(one).__name__} {id(one):#x}"
    if one is current:
        return Owner(name, sys._getframe(1), copy_context())
    if sys.implementation.name == "pypy":  # the frames of a greenlet at rest lead in a circle there
        return Owner(name)
    return Owner(name, one.gr_frame, one.gr_context)


class Waiter(Protocol):
    """Wakes one greenlet or thread once, from any other."""

    def wait(self, timeout: float | None) -> None:
        """Return after :meth:`wake`, or after *timeout* seconds (None: no limit)."""

    def wake(self) -> None:
        """Let the waiting one go on. Never switches, so it may be called anywhere."""


class Hub(Protocol):
    """What the pool needs of gevent, of eventlet, or of plain threads."""

    @property
    def NAME(self) -> str: ...

    @property
    def IS_GREEN(self) -> bool: ...

    def make_lock(self) -> Any:
        """A native ``RLock``: taking it never switches greenlets, so no kill can strike there.

        It can tell whether the calling thread has it, and so whether a garbage collection that
        struck while it was held has called.
        """

    def make_waiter(self) -> Waiter:
        """A waiter for the calling greenlet or thread."""

    def spawn(self, function: Callable[..., object], *args: object) -> None:
        """Run *function* soon, off the caller's path. Never switches."""

    def call_soon(self, function: Callable[..., object], *args: object) -> None:
        """Like spawn(), for what does not wait. May be called in a garbage collection."""

    def call_later(self, seconds: float, function: Callable[[], object]) -> Callable[[], object]:
        """Call *function*, which does not wait, after so many seconds; keeps no process alive.

        Returns a function that calls it off.
        """

    def sleep(self, seconds: float) -> object: ...

    def monotonic(self) -> float:
        """The time in seconds."""

    def limit(self, seconds: float) -> AbstractContextManager[Any]:
        """Raise TimeoutError inside the block after so many seconds, where the hub can."""

    def on_owner_end(self, callback: Callable[[Any], object]) -> OwnerReference:
        """Call *callback* after the calling greenlet or thread has ended, however it did.

        Returns a weak reference to it, to be kept until then. Where the library tells of an end,
        the callback gets the owner, before those who wait for that end go on. Where an end is told
        only by what is freed then, it gets the reference, maybe inside a garbage collection.
        """

    def forget_owner(self, reference: OwnerReference, callback: Callable[[Any], object]) -> None:
        """Do not call *callback*, once the reference is dropped, too. A collection may ask."""

    def current_owner(self) -> object:
        """What a reference to the caller gives.

        Except in a native thread beside a hub: what its references give is not found as fast, so
        there the answer is something that none gives.
        """

    def owner(self, reference: OwnerReference) -> Owner:
        """What can be told of whom *reference* gives."""

    def wait_io(self, fd: int, events: int, timeout: float | None) -> int:
        """Wait cooperatively until *fd* is ready; the ready events, 0 after *timeout* seconds."""

    def keep_watcher(self, fd: int) -> Callable[[], object]:
        """Make later waits for *fd* cheaper: call it for a connection that was just opened.

        Returns a function that ends this; call it when the connection is closed.
        """

    def end_waits(self, fd: int, error: Exception) -> None:
        """Raise *error* in everybody who waits for *fd*, which is about to be closed.

        No event would ever come for it. Returns when they have gone on. Where threads wait, this
        does nothing.
        """

    def waited_fds(self) -> list[int]:
        """Those for which somebody waits in wait_io()."""

    def poller(self, fd: int) -> Callable[[], object]:
        """A function that tells whether *fd* can be read right now, without waiting."""

    def read_fd(self, fd: int) -> bytes:
        """What there is to read on *fd*; raises BlockingIOError if that is nothing.

        eventlet patches os.read() with one that waits instead.
        """

    def close_fd(self, fd: int) -> None:
        """Close *fd* at once: never waits, so that a destructor may call it.

        gevent >= 25.8 patches os.close() with one that defers the close and may switch.
        """

    def run_blocking(self, function: Callable[[], object], timeout: float) -> None:
        """Run *function*, which blocks its thread, in one of its own.

        Returns when it is done, and after *timeout* seconds in any case.
        """


def load(name: str | None = None) -> Hub:
    """The hub called *name*, or the one that has patched this process, else plain threads.

    :raises ImproperlyConfigured: if *name* has not patched it: all its greenlets would then
        share the one database wrapper that Django keeps for each thread.
    """
    in_charge = patched()
    if name not in (None, "threads", in_charge):
        raise ImproperlyConfigured(
            f"OPTIONS['HUB'] is {name!r}, but {name} has not patched this process "
            f"({in_charge} is in charge). Call its monkey patching before Django is imported, or "
            "leave HUB out."
        )
    return cast(Hub, importlib.import_module(f"{__name__}.{name or in_charge}"))


def patched() -> str:
    """Name of the library that has patched threads, and so Django's wrappers; gevent first."""
    monkey: Any = sys.modules.get("gevent.monkey")
    if monkey is not None and monkey.is_module_patched("threading"):
        return "gevent"
    patcher: Any = sys.modules.get("eventlet.patcher")
    if patcher is not None and patcher.is_monkey_patched("thread"):
        return "eventlet"
    return "threads"
