"""What differs between the client libraries: one module each, all with the names of Driver."""

from __future__ import annotations

import enum
import importlib
import sys
from typing import Any, Callable, Protocol, cast

from django.core.exceptions import ImproperlyConfigured

from ..hubs import Hub

Connection = Any


#: Asks the server to stop the running statement; waits on the hub, at most so many seconds.
Canceller = Callable[[Hub, float], object]


class State(enum.Enum):
    """What a connection is doing, as the client library knows it, without asking the server."""

    READY = "ready"
    DIRTY = "in a transaction"
    BUSY = "running a statement"
    DEAD = "closed"


class Driver(Protocol):
    """What the pool needs of a client library."""

    @property
    def OperationalError(self) -> type[Exception]: ...

    @property
    def CONNECT_OPTIONS(self) -> dict[str, Any]:
        """Keyword arguments of ``connect()``, unless the settings have their own."""

    def make_green(self, hub: Hub) -> None:
        """Make the library wait on *hub*, in connect and in queries."""

    def state(self, connection: Connection) -> State:
        """No I/O."""

    def condition(self, connection: Connection) -> tuple[Any, ...]:
        """Its state, and the client-side settings that a borrower may change. No I/O."""

    def restore(self, connection: Connection, condition: tuple[Any, ...]) -> None:
        """Put the settings of an earlier condition back on a READY connection."""

    def discard(self, connection: Connection) -> None:
        """Make the server, and the library, forget the state of a READY session."""

    def canceller(self, connection: Connection) -> Canceller:
        """How to stop a statement of this connection later, even after it has closed itself."""


#: What gives ``import psycopg2``.
_PSYCOPG2 = "psycopg2cffi" if sys.implementation.name == "pypy" else "psycopg2-binary"


def load() -> Driver:
    """The driver that Django runs on in this process."""
    from django.db.backends.postgresql.psycopg_any import is_psycopg3

    # psycopg2 is psycopg2cffi by its own name where that stands in for it: see drivers/cffi.
    name = "psycopg3" if is_psycopg3 else importlib.import_module("psycopg2").__name__
    return cast(Driver, importlib.import_module(f"{__name__}.{name}"))


def require(name: str, engine: str) -> None:
    """Refuse *engine* where Django would run it on another driver than *name*.

    Django takes psycopg 3 whenever it can import it, psycopg2 otherwise, for the whole process:
    https://docs.djangoproject.com/en/stable/ref/databases/#postgresql-notes

    :raises ImproperlyConfigured: telling what to install or to remove.
    """
    psycopg3, no_psycopg3 = _import("psycopg")
    if name == "psycopg3" and psycopg3 is None:
        raise ImproperlyConfigured(
            f"ENGINE {engine!r} runs on psycopg 3, which cannot be imported ({no_psycopg3}). "
            "Install it: pip install 'psycopg[binary]'."
        )
    if name == "psycopg2":
        psycopg2, no_psycopg2 = _import("psycopg2")
        # Where psycopg 3 is there, psycopg2cffi has not been put in its place.
        if psycopg2 is None and _import("psycopg2cffi")[0] is None:
            raise ImproperlyConfigured(
                f"ENGINE {engine!r} runs on psycopg2, which cannot be imported ({no_psycopg2}). "
                f"Install it: pip install {_PSYCOPG2}."
            )
        if psycopg3 is not None:
            raise ImproperlyConfigured(
                f"ENGINE {engine!r} runs on psycopg2, but psycopg {psycopg3.__version__} is "
                "installed too, and Django takes psycopg 3 whenever it can. Remove it (pip "
                "uninstall psycopg psycopg-binary psycopg-c), or use ENGINE "
                "'django_db_geventpool.backends.postgresql_psycopg3'."
            )


def _import(name: str) -> tuple[Any, ImportError | None]:
    try:
        return importlib.import_module(name), None
    except ImportError as error:
        return None, error
