"""For code that uses the ORM outside of a request: give the connections back at its end."""

from __future__ import annotations

import functools
import inspect
from types import TracebackType
from typing import Any, Callable, TypeVar, overload

from django.db import close_old_connections

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
    for kind in (
        inspect.isgeneratorfunction,
        inspect.iscoroutinefunction,
        inspect.isasyncgenfunction,
    ):
        if kind(function):
            raise TypeError(
                f"close_connection() cannot decorate {function.__qualname__}: its body runs after "
                "the call. Use `with close_connection():` inside of it."
            )

    @functools.wraps(function)
    def closing(*args: Any, **kwargs: Any) -> Any:
        with _ClosingConnections():
            return function(*args, **kwargs)

    return closing
