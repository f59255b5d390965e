"""Cursors as psycopg2's: composed statements, and an end to those with a name."""

from __future__ import annotations

import datetime
import functools
from typing import Any, Callable

from psycopg2cffi import extensions

from . import sql

_class = extensions.cursor
_init, _close = _class.__init__, _class.close
_mogrify, _copy_expert = _class.mogrify, _class.copy_expert

# Where the server would not take a CLOSE, or knows the cursor no more.
_TOO_LATE = (
    extensions.TRANSACTION_STATUS_ACTIVE,
    extensions.TRANSACTION_STATUS_INERROR,
    extensions.TRANSACTION_STATUS_UNKNOWN,
)


def _takes_composed(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def with_composed(cursor: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(query, sql.Composable):
            query = query.as_string(cursor)
        return method(cursor, query, *args, **kwargs)

    return with_composed


def _begin(cursor: Any, *args: Any, **kwargs: Any) -> None:
    _init(cursor, *args, **kwargs)
    cursor.tzinfo_factory = datetime.timezone  # given a timedelta: see values.py


def _end(cursor: Any) -> None:
    """As psycopg2: no CLOSE in a failed transaction, nor where the DECLARE has failed."""
    connection = cursor.connection
    has_failed = cursor.statusmessage is None or connection.closed
    if cursor.name and (has_failed or connection.get_transaction_status() in _TOO_LATE):
        cursor._closed = True
    _close(cursor)


def _mogrify_with_or_without(cursor: Any, query: Any, vars: Any = None) -> Any:
    """Without parameters a % is no placeholder."""
    if vars is not None:
        return _mogrify(cursor, query, vars)
    return query.encode(cursor.connection._py_enc) if isinstance(query, str) else query


def _copy(cursor: Any, sql: Any, *args: Any, **kwargs: Any) -> Any:
    """By itself it takes ASCII only."""
    if isinstance(sql, str):
        sql = sql.encode(cursor.connection._py_enc)
    return _copy_expert(cursor, sql, *args, **kwargs)


_class.__init__ = _begin
_class.closed = property(lambda cursor: bool(cursor._closed or cursor._conn.closed))
_class.execute = _takes_composed(_class.execute)
_class.executemany = _takes_composed(_class.executemany)
_class.mogrify = _takes_composed(_mogrify_with_or_without)
_class.copy_expert = _takes_composed(_copy)
_class.close = _end
extensions.quote_ident = sql.quote_ident
