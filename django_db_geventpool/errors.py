"""Errors of the pool: subclasses of what Django's users already catch."""

from __future__ import annotations

import copy
import traceback

from django.db.utils import OperationalError

from .stats import PoolStats


class PoolError(OperationalError):
    """The pool could not do what was asked of it, or was misused."""


class PoolTimeout(PoolError):
    """No connection became free within ``WAIT_TIMEOUT`` seconds."""


class PoolClosed(PoolError):
    """The pool was closed: while a caller waited for a connection, or before."""


def timeout_message(name: str, stats: PoolStats, waited: float, failures: int) -> str:
    """What was the matter, in numbers, and what to do about it."""
    message = f"pool {name!r}: no connection became free within {waited:.1f} s ({stats}). "
    if failures:
        return message + (
            f"The server could not be reached: {failures} connects in a row failed (the log of "
            "'django_db_geventpool' has their errors)."
        )
    return message + (
        "Look for slow queries and long transactions, and for greenlets that hold a connection "
        "while they wait for something else (close_connection gives it back); then raise "
        "MAX_CONNS, or WAIT_TIMEOUT, if the server has room."
    )


def copy_of(error: Exception) -> Exception:
    """To be raised in another greenlet, with a traceback of its own where that is possible."""
    try:
        return copy.copy(error)
    except Exception:  # not every exception can be copied
        return error


def let_go_of_locals(error: BaseException) -> None:
    """A traceback that somebody keeps would keep a half-opened connection open, and passwords."""
    seen: BaseException | None = error
    while seen is not None:
        traceback.clear_frames(seen.__traceback__)
        seen = seen.__context__
