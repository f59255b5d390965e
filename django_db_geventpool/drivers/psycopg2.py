"""psycopg2: a wait callback, one for the whole process, makes it green.

``import psycopg2`` gives psycopg2cffi where that stands in for psycopg2 (see drivers/cffi); the
driver module of that name takes from here all that is the same with it.
"""

from __future__ import annotations

import functools
import logging
import time
from operator import attrgetter
from typing import Any, Callable

import psycopg2
from psycopg2 import extensions

from ..hubs import READ, WRITE, Hub
from . import Canceller, State
from .libpq import Libpq

OperationalError = psycopg2.OperationalError

logger = logging.getLogger("django_db_geventpool")

_STATES = {
    extensions.TRANSACTION_STATUS_IDLE: State.READY,
    extensions.TRANSACTION_STATUS_INTRANS: State.DIRTY,
    extensions.TRANSACTION_STATUS_INERROR: State.DIRTY,
    extensions.TRANSACTION_STATUS_ACTIVE: State.BUSY,
    extensions.TRANSACTION_STATUS_UNKNOWN: State.DEAD,
}

_EVENTS = {extensions.POLL_READ: READ, extensions.POLL_WRITE: WRITE}


class Cursor(extensions.cursor):
    """A cursor with COPY, which psycopg2 refuses on a hub: it blocks the hub while it copies.

    https://www.psycopg.org/docs/advanced.html#green-support
    """

    def copy_expert(self, *args: Any, **kwargs: Any) -> None:
        with _no_callback:
            super().copy_expert(*args, **kwargs)

    def copy_from(self, *args: Any, **kwargs: Any) -> None:
        with _no_callback:
            super().copy_from(*args, **kwargs)

    def copy_to(self, *args: Any, **kwargs: Any) -> None:
        with _no_callback:
            super().copy_to(*args, **kwargs)


class _NoCallback:
    """Takes the wait callback away as long as anybody copies.

    Reading or writing the file may switch to another greenlet that copies as well; what others
    do meanwhile blocks the hub, too.
    """

    def __init__(self) -> None:
        self._copying = 0
        self._callback: Any = None

    def __enter__(self) -> None:
        if not self._copying:
            self._callback = extensions.get_wait_callback()
            extensions.set_wait_callback(None)
        self._copying += 1

    def __exit__(self, *_: object) -> None:
        self._copying -= 1
        if not self._copying:
            extensions.set_wait_callback(self._callback)


_no_callback = _NoCallback()

CONNECT_OPTIONS: dict[str, Any] = {"cursor_factory": Cursor}


def make_green(hub: Hub) -> None:
    """Install a wait callback, unless psycogreen or the site has installed one.

    eventlet installs its own when it patches; that one knows no time limit, and is replaced.
    """
    callback = extensions.get_wait_callback()
    origin = getattr(callback, "__module__", None)
    if callback is not None and origin != "eventlet.support.psycopg2_patcher":
        return

    wait_io = hub.wait_io

    def wait(connection: Any) -> None:
        poll = connection.poll
        connects = connection.status == extensions.STATUS_SETUP  # until it is polled
        state = poll()
        if connects:
            deadline = _connect_deadline(connection)
            while state != extensions.POLL_OK:
                left = None if deadline is None else max(0.0, deadline - time.monotonic())
                # libpq tries another address on another socket, so it is asked for each time.
                if not wait_io(connection.fileno(), _events(state), left):
                    raise psycopg2.OperationalError("timeout expired: connect_timeout is over")
                state = poll()
        elif state != extensions.POLL_OK:
            fd = connection.fileno()
            while state != extensions.POLL_OK:
                wait_io(fd, _events(state), None)
                state = poll()

    extensions.set_wait_callback(wait)
    name = psycopg2.__name__
    logger.info("%s now waits on the %s hub (wait callback installed)", name, hub.NAME)


def _events(state: int) -> int:
    try:
        return _EVENTS[state]
    except KeyError:
        raise psycopg2.OperationalError(f"unexpected answer from poll(): {state!r}") from None


def _connect_deadline(connection: Any) -> float | None:
    """libpq looks at connect_timeout only where it waits by itself."""
    seconds = int(connection.info.dsn_parameters.get("connect_timeout") or 0)
    return time.monotonic() + max(2, seconds) if seconds > 0 else None  # 2 as libpq does


def state(connection: Any) -> State:
    if connection.closed:
        return State.DEAD
    return _STATES[connection.get_transaction_status()]


_SETTINGS = ("autocommit", "isolation_level", "readonly", "deferrable")
_settings: Callable[[Any], tuple[Any, ...]] = attrgetter(*_SETTINGS)


def condition(connection: Any) -> tuple[Any, ...]:
    if connection.closed:  # it would say that instead of its settings
        return ()
    return (connection.get_transaction_status(), *_settings(connection))


def restore(connection: Any, condition: tuple[Any, ...]) -> None:
    for name, value in zip(_SETTINGS, condition[1:]):
        if getattr(connection, name) != value:
            setattr(connection, name, value)


def discard(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DISCARD ALL")
        cursor.execute("SET datestyle TO 'ISO'")  # psycopg2 reads no other; it sets it at connect
    connection.notifies.clear()  # what the last borrower listened for


def canceller(connection: Any) -> Canceller:
    return _libpq().canceller(connection.pgconn_ptr)


@functools.cache
def _libpq() -> Libpq:
    return Libpq(psycopg2._psycopg.__file__)
