"""psycopg 3: a generator does the protocol, and whoever drives it does the waiting."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Generator
from functools import cache
from operator import attrgetter
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import psycopg
from django.core.exceptions import ImproperlyConfigured
from psycopg import waiting
from psycopg.pq import TransactionStatus

from ..hubs import Hub
from . import Canceller, State
from .libpq import Libpq

OperationalError = psycopg.OperationalError
CONNECT_OPTIONS: dict[str, Any] = {}

T = TypeVar("T")

logger = logging.getLogger("django_db_geventpool")

VERSION = tuple(int(part) for part in psycopg.__version__.split(".")[:2])
if VERSION < (3, 2):
    raise ImproperlyConfigured(
        f"django_db_geventpool needs psycopg 3.2 or newer; {psycopg.__version__} is installed."
    )

#: Before 3.3 the generators look at their own deadline, so they must be woken up to do it; since
#: then the wait function is told the time limit and nothing needs a regular wake-up.
WAKES_REGULARLY = VERSION < (3, 3)

_STATES = {
    TransactionStatus.IDLE: State.READY,
    TransactionStatus.INTRANS: State.DIRTY,
    TransactionStatus.INERROR: State.DIRTY,
    TransactionStatus.ACTIVE: State.BUSY,
    TransactionStatus.UNKNOWN: State.DEAD,
}


def make_green(hub: Hub) -> None:
    """Replace psycopg's wait functions, for the whole process.

    psycopg chooses them when it is imported: before patching it takes one that blocks the whole
    hub, and for eventlet it always does.
    """
    if getattr(waiting.wait, "hub", None) == hub.NAME:
        return

    wait_io = hub.wait_io

    def wait(
        gen: Generator[int, int, T], fileno: int, interval: float = 0.0, timeout: Any = None
    ) -> T:
        alarm = _alarm(interval, timeout)
        try:
            events = next(gen)
            if alarm is None:
                while True:
                    events = gen.send(wait_io(fileno, events, None))
            while True:
                events = gen.send(wait_io(fileno, events, alarm.seconds()))
                alarm.check()
        except StopIteration as stop:
            return cast(T, stop.value)

    def wait_conn(
        gen: Generator[tuple[int, int], int, T], interval: float = 0.0, timeout: Any = None
    ) -> T:
        alarm = _Alarm(interval, timeout)
        try:
            fileno, events = next(gen)
            while True:
                fileno, events = gen.send(wait_io(fileno, events, alarm.seconds()))
                alarm.check()
        except StopIteration as stop:
            return cast(T, stop.value)

    wait.hub = wait_conn.hub = hub.NAME  # type: ignore[attr-defined]
    waiting.wait, waiting.wait_conn = wait, wait_conn
    logger.info("psycopg %s now waits on the %s hub", psycopg.__version__, hub.NAME)


def _alarm(interval: float, timeout: float | None) -> _Alarm | None:
    """What ends a wait before there is something to read, if anything does."""
    return _Alarm(interval, timeout) if WAKES_REGULARLY or timeout is not None else None


class _Alarm:
    """The time limit of one wait."""

    __slots__ = ("_deadline", "_interval")

    def __init__(self, interval: float, timeout: float | None) -> None:
        self._interval = interval if WAKES_REGULARLY else None
        self._deadline = None if timeout is None else time.monotonic() + timeout

    def seconds(self) -> float | None:
        if self._deadline is None:
            return self._interval
        return max(0.0, self._deadline - time.monotonic())

    def check(self) -> None:
        # After the generator has had what there was, so that a limit of 0 still polls once.
        if self._deadline is not None and time.monotonic() >= self._deadline:
            raise psycopg.errors._WaitTimeout("wait timeout expired")


def state(connection: Any) -> State:
    return _STATES[connection.pgconn.transaction_status]


def _behind(name: str) -> str:
    """Where a property of psycopg's does no more than return an attribute: that one's name.

    Each return reads four of them, and this takes half as long.
    """
    attribute, value = f"_{name}", object()
    try:
        getter = getattr(psycopg.Connection, name).fget
        return attribute if getter(SimpleNamespace(**{attribute: value})) is value else name
    except Exception:
        return name


_SETTINGS = ("autocommit", "isolation_level", "read_only", "deferrable")
condition: Callable[[Any], tuple[Any, ...]] = attrgetter(
    "pgconn.transaction_status", *map(_behind, _SETTINGS)
)


def restore(connection: Any, condition: tuple[Any, ...]) -> None:
    for name, value in zip(_SETTINGS, condition[1:]):
        if getattr(connection, name) != value:
            setattr(connection, name, value)


def discard(connection: Any) -> None:
    connection.execute("DISCARD ALL")
    for _ in connection.notifies(timeout=0):
        pass  # what the last borrower listened for


def canceller(connection: Any) -> Canceller:
    if not psycopg.capabilities.has_cancel_safe():
        return _old_canceller(connection)

    def cancel(hub: Hub, timeout: float) -> None:
        connection.cancel_safe(timeout=timeout)

    return cancel


def _old_canceller(connection: Any) -> Canceller:
    """For a libpq before 17, which knows the blocking way only.

    psycopg's C extension would hold the GIL meanwhile, and so stop the whole process for as long as
    the server does not answer.
    """
    pgconn = connection.pgconn
    if psycopg.pq.__impl__ != "python" and _libpq().has("PQgetCancel"):
        return _libpq().canceller(pgconn.pgconn_ptr)

    def cancel(hub: Hub, timeout: float) -> None:
        hub.run_blocking(connection.cancel, timeout)  # psycopg in Python lets others run

    return cancel


@cache
def _libpq() -> Libpq:
    extension = sys.modules[psycopg.pq.PGconn.__module__].__file__
    assert extension is not None
    return Libpq(extension)
