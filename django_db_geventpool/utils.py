"""For code that uses the ORM outside of a request: give the connections back at its end."""

from __future__ import annotations

import functools
import inspect
from contextlib import ContextDecorator
from types import TracebackType
from typing import Any, Callable, TypeVar, overload

from django.db import DEFAULT_DB_ALIAS, close_old_connections, connections

F = TypeVar("F", bound=Callable[..., Any])


class _ClosingConnections:
    """Gives the greenlet's connections back at the end of a block, however it ends."""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        close_old_connections()

    def __call__(self, function: F) -> F:
        return close_connection(function)


@overload
def close_connection() -> _ClosingConnections: ...
@overload
def close_connection(function: F) -> F: ...


def close_connection(function: Any = None) -> Any:
    """Give the greenlet's database connections back when a function, or a block, ends.

    As a decorator, with or without parentheses, or as a context manager::

        @close_connection
        def task(): ...

        with close_connection():
            ...

    It does so too when the function raises or its greenlet is killed. A connection that is
    inside a transaction of the caller's stays with the caller. With an engine that does not
    pool it does what Django does at the end of a request: ``CONN_MAX_AGE`` decides.

    :raises TypeError: for a generator or coroutine function, which has not begun when it returns.
    """
    if function is None:
        return _ClosingConnections()
    _refuse_what_runs_later(function, "close_connection()")

    @functools.wraps(function)
    def closing(*args: Any, **kwargs: Any) -> Any:
        with _ClosingConnections():
            return function(*args, **kwargs)

    return closing


def _refuse_what_runs_later(function: Any, decorator: str) -> None:
    for kind in (
        inspect.isgeneratorfunction,
        inspect.iscoroutinefunction,
        inspect.isasyncgenfunction,
    ):
        if kind(function):
            raise TypeError(
                f"{decorator} cannot decorate {function.__qualname__}: its body runs after the "
                f"call. Use `with {decorator}:` inside of it."
            )


class _Hold(ContextDecorator):
    def __init__(self, using: str) -> None:
        self._using = using

    def __call__(self, function: F) -> F:
        _refuse_what_runs_later(function, "hold_connection()")
        return super().__call__(function)

    def __enter__(self) -> None:
        getattr(connections[self._using], "hold", _nothing)()

    def __exit__(self, *_: object) -> None:
        getattr(connections[self._using], "let_loose", _nothing)()


def _nothing() -> None: ...


@overload
def hold_connection(using: str = ...) -> _Hold: ...
@overload
def hold_connection(using: F) -> F: ...


def hold_connection(using: Any = DEFAULT_DB_ALIAS) -> Any:
    """Keep one and the same session for a function, or a block, with ``RELEASE="transaction"``.

    For what lives in a session of the server and is wanted by later statements. As a decorator,
    with or without parentheses, or as a context manager::

        with hold_connection():
            cursor.execute("SELECT nextval('numbers')")
            ...

    It takes no connection by itself: the first statement does. With another engine or setting it
    does nothing, because the connection is held anyway.

    :param using: the alias of the database.
    :raises TypeError: for a generator or coroutine function, which has not begun when it returns.
    """
    if callable(using):
        return _Hold(DEFAULT_DB_ALIAS)(using)
    return _Hold(using)
