"""gevent: waiting for file descriptors, on the hub's own watchers.

A connection of a pool keeps its watcher, which is started and stopped for each wait; others have
one made for each. The kept ones are found by the number of the descriptor, which may get another
owner before the pool hears of it: libpq lets go of it as soon as the server is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import gevent
from gevent import get_hub, getcurrent, monkey
from gevent import hub as _hub

from . import READ

MAIN_THREAD_IDENT: int = vars(_hub)["MAIN_THREAD_IDENT"]

get_ident: Callable[[], int] = monkey.get_original("_thread", "get_ident")

_waits: dict[int, list[Any]] = {}  # who waits in _wait_once(), by file descriptor
_kept: dict[int, tuple[Any, Any]] = {}  # of the pools' connections: a hub, and its watcher
_ending: dict[int, Exception] = {}  # of end_waits(): nobody begins another wait for them


def soon(hub: Any) -> Callable[..., object]:
    """What calls a function in *hub*'s next turn.

    The hub of another native thread must be woken up for it.
    """
    run: Callable[..., object]
    run = hub.loop.run_callback if get_hub() is hub else hub.loop.run_callback_threadsafe
    return run


def run_soon(hub: Any, function: Callable[..., object], *args: object) -> None:
    soon(hub)(function, *args)


def keep_watcher(fd: int) -> Callable[[], object]:
    if get_ident() != MAIN_THREAD_IDENT:
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
    run_soon(hub, _close_at_rest, watcher)


def _close_at_rest(watcher: Any) -> None:
    if not watcher.active:  # else the new owner of the number waits with it, and closes it
        watcher.close()


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
        if _kept.get(fd) is not kept:
            watcher.close()
    return READ


def _wait_once(hub: Any, fd: int, events: int, timeout: float | None) -> int:
    if fd in _ending:
        raise _ending[fd]
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
        waits.append((kept[0], partial(_throw, kept[1])))
    for hub, throw in waits:
        run_soon(hub, throw, error)
    if waits:
        # Whoever is woken by something else before that would wait again. (A new owner of the
        # number would be sent away too; but those of a pool connect in other greenlets, later.)
        _ending[fd] = error
        try:
            gevent.sleep(0)
        finally:
            _ending.pop(fd, None)


def _throw(watcher: Any, error: Exception) -> None:
    if watcher.active:  # else the answer was faster, and the greenlet has gone on to other things
        watcher.callback.__self__.throw(error)


def waited_fds() -> list[int]:
    return [*_waits, *(fd for fd, (_, watcher) in _kept.items() if watcher.active)]
