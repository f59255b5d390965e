"""psycopg2: a wait callback, one for the whole process, makes it green."""

from __future__ import annotations

import logging
from typing import Any, cast

import psycopg2
from psycopg2 import extensions

from ..hubs import READ, WRITE, Hub
from . import State

NAME = "psycopg2"

logger = logging.getLogger("django_db_geventpool")

_STATES = {
    extensions.TRANSACTION_STATUS_IDLE: State.READY,
    extensions.TRANSACTION_STATUS_INTRANS: State.DIRTY,
    extensions.TRANSACTION_STATUS_INERROR: State.DIRTY,
    extensions.TRANSACTION_STATUS_ACTIVE: State.BUSY,
    extensions.TRANSACTION_STATUS_UNKNOWN: State.DEAD,
}

_EVENTS = {extensions.POLL_READ: READ, extensions.POLL_WRITE: WRITE}


def make_green(hub: Hub) -> None:
    """Install a wait callback, unless psycogreen or the site has installed one."""
    if extensions.get_wait_callback() is not None:
        return

    def wait(connection: Any) -> None:
        while (state := connection.poll()) != extensions.POLL_OK:
            events = _EVENTS.get(state)
            if events is None:
                raise psycopg2.OperationalError(f"unexpected answer from poll(): {state!r}")
            hub.wait_io(connection.fileno(), events, None)

    extensions.set_wait_callback(wait)
    logger.info("psycopg2 now waits on the %s hub (wait callback installed)", hub.NAME)


def state(connection: Any) -> State:
    if connection.closed:
        return State.DEAD
    return _STATES[connection.get_transaction_status()]


def session(connection: Any) -> object:
    return (connection.isolation_level, connection.readonly, connection.deferrable)


def restore(connection: Any, session: object) -> None:
    if not connection.autocommit:
        connection.autocommit = True
    if session != (connection.isolation_level, connection.readonly, connection.deferrable):
        isolation_level, readonly, deferrable = cast("tuple[Any, Any, Any]", session)
        connection.isolation_level = isolation_level
        connection.readonly = readonly
        connection.deferrable = deferrable


def cancel(connection: Any, hub: Hub) -> None:
    hub.run_blocking(connection.cancel)
