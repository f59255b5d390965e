"""Errors of the pool: subclasses of what Django's users already catch."""

from __future__ import annotations

from django.db.utils import OperationalError


class PoolError(OperationalError):
    """The pool could not do what was asked of it, or was misused."""


class PoolTimeout(PoolError):
    """No connection became free within ``WAIT_TIMEOUT`` seconds."""


class PoolClosed(PoolError):
    """The pool was closed: while a caller waited for a connection, or before."""
