"""psycopg2: a wait callback, one for the whole process, makes it green."""

from __future__ import annotations

import ctypes
import logging
import time
from typing import Any, cast

import psycopg2
from psycopg2 import extensions

from ..hubs import READ, WRITE, Hub
from . import Canceller, State

NAME = "psycopg2"

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

    def wait(connection: Any) -> None:
        deadline = _connect_deadline(connection)
        while (state := connection.poll()) != extensions.POLL_OK:
            events = _EVENTS.get(state)
            if events is None:
                raise psycopg2.OperationalError(f"unexpected answer from poll(): {state!r}")
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not hub.wait_io(connection.fileno(), events, left):
                raise psycopg2.OperationalError("timeout expired: connect_timeout is over")

    extensions.set_wait_callback(wait)
    logger.info("psycopg2 now waits on the %s hub (wait callback installed)", hub.NAME)


def _connect_deadline(connection: Any) -> float | None:
    """libpq looks at connect_timeout only where it waits by itself; None when connected."""
    if connection.status != extensions.STATUS_SETUP:
        return None
    seconds = int(connection.info.dsn_parameters.get("connect_timeout") or 0)
    return time.monotonic() + max(2, seconds) if seconds > 0 else None  # 2 as libpq does


def state(connection: Any) -> State:
    if connection.closed:
        return State.DEAD
    return _STATES[connection.get_transaction_status()]


def settings(connection: Any) -> object:
    return (connection.isolation_level, connection.readonly, connection.deferrable)


def restore(connection: Any, settings: object) -> None:
    if not connection.autocommit:
        connection.autocommit = True
    if settings != (connection.isolation_level, connection.readonly, connection.deferrable):
        isolation_level, readonly, deferrable = cast("tuple[Any, Any, Any]", settings)
        connection.isolation_level = isolation_level
        connection.readonly = readonly
        connection.deferrable = deferrable


def discard(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DISCARD ALL")
        cursor.execute("SET datestyle TO 'ISO'")  # psycopg2 reads no other; it sets it at connect
    connection.notifies.clear()  # what the last borrower listened for


def canceller(connection: Any) -> Canceller:
    """libpq's own, which lives apart from the connection.

    psycopg2 closes a connection whose wait was interrupted, and its cancel() with it; that would
    also hold the GIL for as long as the server takes to answer.
    """
    if hasattr(_libpq, "PQcancelCreate"):
        return _GreenCancel(connection.pgconn_ptr)
    return _BlockingCancel(connection.pgconn_ptr)


# The libpq that this psycopg2 is linked against: found as a dependency of its extension module.
_libpq = ctypes.CDLL(psycopg2._psycopg.__file__)


class _GreenCancel:
    """For libpq 17 and newer: https://www.postgresql.org/docs/current/libpq-cancel.html"""

    def __init__(self, pgconn: int) -> None:
        self._pointer = ctypes.c_void_p(_function("PQcancelCreate", ctypes.c_void_p)(pgconn))
        self._free = _function("PQcancelFinish")  # a module's globals may be gone in __del__

    def __del__(self) -> None:
        self._free(self._pointer)

    def __call__(self, hub: Hub, timeout: float) -> None:
        deadline = hub.monotonic() + timeout
        _function("PQcancelReset")(self._pointer)
        # As if it had just been told to wait until it can write.
        state = _WRITING if _function("PQcancelStart")(self._pointer) else _FAILED
        while state in _CANCEL_EVENTS:
            fd, left = _function("PQcancelSocket")(self._pointer), deadline - hub.monotonic()
            if left <= 0 or not hub.wait_io(fd, _CANCEL_EVENTS[state], left):
                break
            state = _function("PQcancelPoll")(self._pointer)
        if state != _OK:
            logger.warning("a statement could not be cancelled: the server was not reached")


# PostgresPollingStatusType of libpq-fe.h
_FAILED, _READING, _WRITING, _OK = range(4)
_CANCEL_EVENTS = {_READING: READ, _WRITING: WRITE}


class _BlockingCancel:
    """For an older libpq."""

    def __init__(self, pgconn: int) -> None:
        self._pointer = ctypes.c_void_p(_function("PQgetCancel", ctypes.c_void_p)(pgconn))
        self._free = _function("PQfreeCancel")

    def __del__(self) -> None:
        self._free(self._pointer)

    def __call__(self, hub: Hub, timeout: float) -> None:
        hub.run_blocking(self._cancel, timeout)

    def _cancel(self) -> None:
        message = ctypes.create_string_buffer(256)
        if not _function("PQcancel")(self._pointer, message, len(message)):
            logger.warning("a statement could not be cancelled: the server was not reached")


def _function(name: str, returns: Any = ctypes.c_int) -> Any:
    """One of libpq's; the first argument of all that are used here is a pointer."""
    function = getattr(_libpq, name)
    function.restype = returns
    if name != "PQcancel":
        function.argtypes = [ctypes.c_void_p]
    return function
