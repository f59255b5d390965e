"""libpq, for what the drivers do not offer: found as a dependency of their extension module."""

from __future__ import annotations

import ctypes
import logging
from typing import Any

from ..hubs import READ, WRITE, Hub
from . import Canceller

logger = logging.getLogger("django_db_geventpool")

# PostgresPollingStatusType of libpq-fe.h
_FAILED, _READING, _WRITING, _OK = range(4)
_CANCEL_EVENTS = {_READING: READ, _WRITING: WRITE}


class Option(ctypes.Structure):
    """PQconninfoOption: https://www.postgresql.org/docs/current/libpq-connect.html"""

    _fields_ = [
        *((name, ctypes.c_char_p) for name in ("keyword", "envvar", "compiled", "value", "label")),
        ("dispchar", ctypes.c_char_p),
        ("dispsize", ctypes.c_int),
    ]


class Libpq:
    """The libpq that a driver is linked against; connections are ``PGconn`` pointers.

    :param extension: the path of the driver's extension module.
    """

    def __init__(self, extension: str) -> None:
        self._library = ctypes.CDLL(extension)

    def has(self, name: str) -> bool:
        return hasattr(self._library, name)

    def function(self, name: str, returns: Any = ctypes.c_int) -> Any:
        """One of libpq's; the first argument of all that are used here is a pointer."""
        function = getattr(self._library, name)
        function.restype = returns
        if name != "PQcancel":
            function.argtypes = [ctypes.c_void_p]
        return function

    def text(self, name: str, pgconn: int) -> str | None:
        """What one of the functions that tell of a connection answers: PQdb, PQhost, ..."""
        value: bytes | None = self.function(name, ctypes.c_char_p)(pgconn)
        return None if value is None else value.decode(errors="replace")

    def parameters(self, pgconn: int) -> dict[str, str]:
        """With what it was opened, from wherever that came; without the password."""
        options = self.function("PQconninfo", ctypes.POINTER(Option))(pgconn)
        found = {}
        try:
            for option in options:
                if option.keyword is None:
                    break
                if option.value is not None and option.keyword != b"password":
                    found[option.keyword.decode()] = option.value.decode(errors="replace")
        finally:
            self.function("PQconninfoFree", None)(ctypes.cast(options, ctypes.c_void_p))
        return found

    def canceller(self, pgconn: int) -> Canceller:
        """One that lives apart from the connection.

        psycopg2 closes a connection whose wait was interrupted, and its cancel() with it; that
        would also hold the GIL for as long as the server takes to answer.
        """
        if self.has("PQcancelCreate"):
            return GreenCancel(self, pgconn)
        return BlockingCancel(self, pgconn)


class GreenCancel:
    """For libpq 17 and newer: https://www.postgresql.org/docs/current/libpq-cancel.html"""

    def __init__(self, libpq: Libpq, pgconn: int) -> None:
        self._libpq = libpq
        self._pointer = ctypes.c_void_p(libpq.function("PQcancelCreate", ctypes.c_void_p)(pgconn))
        self._free = libpq.function("PQcancelFinish")  # globals may be gone in __del__

    def __del__(self) -> None:
        self._free(self._pointer)

    def __call__(self, hub: Hub, timeout: float) -> None:
        function, deadline = self._libpq.function, hub.monotonic() + timeout
        function("PQcancelReset")(self._pointer)
        # As if it had just been told to wait until it can write.
        state = _WRITING if function("PQcancelStart")(self._pointer) else _FAILED
        while state in _CANCEL_EVENTS:
            fd, left = function("PQcancelSocket")(self._pointer), deadline - hub.monotonic()
            if left <= 0 or not hub.wait_io(fd, _CANCEL_EVENTS[state], left):
                break
            state = function("PQcancelPoll")(self._pointer)
        if state != _OK:
            logger.warning("a statement could not be cancelled: the server was not reached")


class BlockingCancel:
    """For an older libpq."""

    def __init__(self, libpq: Libpq, pgconn: int) -> None:
        self._libpq = libpq
        self._pointer = ctypes.c_void_p(libpq.function("PQgetCancel", ctypes.c_void_p)(pgconn))
        self._free = libpq.function("PQfreeCancel")

    def __del__(self) -> None:
        self._free(self._pointer)

    def __call__(self, hub: Hub, timeout: float) -> None:
        hub.run_blocking(self._cancel, timeout)

    def _cancel(self) -> None:
        message = ctypes.create_string_buffer(256)
        if not self._libpq.function("PQcancel")(self._pointer, message, len(message)):
            logger.warning("a statement could not be cancelled: the server was not reached")
