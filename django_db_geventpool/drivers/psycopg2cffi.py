"""psycopg2cffi, which PyPy has in the place of psycopg2.

What Django needs of it and it lacks is in drivers/cffi; here is what it lacks on a hub.
"""

from __future__ import annotations

from typing import Any

from psycopg2cffi import extensions
from psycopg2cffi._impl.libpq import ffi
from psycopg2cffi._impl.libpq import libpq as _lib

from . import Canceller
from .cffi.connection import LIBPQ
from .psycopg2 import Cursor, OperationalError, condition, discard, make_green, restore, state

__all__ = [
    "CONNECT_OPTIONS",
    "OperationalError",
    "canceller",
    "condition",
    "discard",
    "make_green",
    "restore",
    "state",
]


class Connection(extensions.connection):  # type: ignore[misc]  # it has no types
    """Waits on the hub where psycopg2cffi, unlike psycopg2, still blocks all greenlets."""

    def _connect_sync(self) -> None:
        """By itself it calls PQconnectdb(), wait callback or not."""
        callback = extensions.get_wait_callback()
        if callback is None:
            super()._connect_sync()
            return
        try:
            self._pgconn = _lib.PQconnectStart(self.dsn.encode())
            if not self._pgconn:
                raise OperationalError("PQconnectStart() failed")
            if _lib.PQstatus(self._pgconn) == _lib.CONNECTION_BAD:
                raise self._create_exception()
            _lib.PQsetNoticeProcessor(self._pgconn, self._notice_callback, ffi.NULL)
            callback(self)
            self.status = extensions.STATUS_READY
            self._setup()
        except BaseException:
            self.close()  # now, not when PyPy happens to collect it
            raise

    def _execute_green(self, query: str | bytes) -> Any:
        """By itself it waits, without the hub, until libpq has sent the statement."""
        _lib.PQsetnonblocking(self._pgconn, 1)
        try:
            return super()._execute_green(query)
        finally:
            if not self.closed:  # COPY wants it as it was
                _lib.PQsetnonblocking(self._pgconn, 0)


CONNECT_OPTIONS: dict[str, Any] = {
    "connection_factory": Connection,
    "cursor_factory": Cursor,
}


def canceller(connection: Any) -> Canceller:
    return LIBPQ.canceller(connection.pgconn_ptr)
