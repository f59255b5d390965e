"""psycopg2: the C library itself."""

from __future__ import annotations

from typing import Any

import psycopg2

from . import Canceller
from .libpq import Libpq
from .psycopg2_common import Cursor, OperationalError, discard, make_green, restore, settings, state

__all__ = [
    "CONNECT_OPTIONS",
    "NAME",
    "OperationalError",
    "canceller",
    "discard",
    "make_green",
    "restore",
    "settings",
    "state",
]

NAME = "psycopg2"

CONNECT_OPTIONS: dict[str, Any] = {"cursor_factory": Cursor}

_libpq = Libpq(psycopg2._psycopg.__file__)


def canceller(connection: Any) -> Canceller:
    return _libpq.canceller(connection.pgconn_ptr)
