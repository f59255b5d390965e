"""What the engines have in common: Django's PostgreSQL wrapper, borrowing from a pool.

Django connects a wrapper anew in each request and closes it at the end. Here connecting checks a
connection out and closing gives it back; everything else is Django's own code. The set-up that
costs round trips (role, geometry types, version check) runs once for each physical connection.
"""

from __future__ import annotations

import os
from typing import Any

import django
from django.db import DEFAULT_DB_ALIAS, ProgrammingError
from django.db.backends.base.base import NO_DB_ALIAS
from django.db.backends.postgresql.psycopg_any import IsolationLevel

from .. import checks, drivers, registry  # noqa: F401  (importing the checks registers them)
from ..checkout import Checkout
from ..config import OPTIONS, SECRETS, secret
from ..pool import Pool
from ..signals import connection_opened
from .creation import PooledDatabaseCreation
from .early import EarlyRelease
from .validation import PooledDatabaseValidation

#: Seconds. libpq's own is none: a request would wait for minutes for a server that does not answer.
DEFAULT_CONNECT_TIMEOUT = 10


class PooledDatabaseWrapper(EarlyRelease):
    """Django's wrapper on a pool. The names ``pool`` and ``_connection_pools`` are Django's."""

    creation_class = PooledDatabaseCreation
    validation_class = PooledDatabaseValidation

    def __init__(self, settings_dict: dict[str, Any], alias: str = DEFAULT_DB_ALIAS) -> None:
        super().__init__(settings_dict, alias=alias)  # PostGIS looks for it among the keywords

    @property
    def geventpool(self) -> Pool:
        """The pool that this wrapper borrows from, shared by all wrappers of its alias."""
        return registry.pool_for(self)[0]

    def close_pool(self) -> None:
        """Close this alias's pool in this process; the next query opens it again.

        Django >= 5.1 calls it before it clones or drops a test database.
        """
        if not self.in_atomic_block:
            self.close()
        registry.close(self.alias)

    # -- connecting: a checkout

    def get_connection_params(self) -> dict[str, Any]:
        params: dict[str, Any] = super().get_connection_params()
        for key in OPTIONS:
            params.pop(key, None)
        params.pop("pool", None)  # falsy, or PoolConfig had refused it; Django < 5.1 leaves it in
        for key in SECRETS & params.keys():  # at each checkout, so none but these are looked at
            params[key] = secret(params[key])
        return params

    def _connect(self, params: dict[str, Any]) -> Any:
        """A physical connection: what it needs beside Django's parameters no checkout has to do."""
        given = self.settings_dict["OPTIONS"]
        for key, value in drivers.load().CONNECT_OPTIONS.items():
            if key not in given:
                params[key] = value
        if "service" not in params and "PGCONNECT_TIMEOUT" not in os.environ:
            params.setdefault("connect_timeout", DEFAULT_CONNECT_TIMEOUT)
        return super().get_new_connection(params)

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        if self.alias == NO_DB_ALIAS:  # used once, to create or drop a database
            return self._connect(conn_params)
        if self._checkout is not None:  # connect() called twice, or .connection set to None
            self.connection = None
            self._give_back()
        pool, opener = registry.pool_for(self)
        # In one step: threads may share a wrapper.
        checkout: Checkout | None = vars(self).pop("_last_checkout", None)
        if checkout is not None and checkout.opener is not opener:
            checkout.untie()
            checkout = None
        if checkout is None:
            checkout = Checkout(pool, self, opener)
        try:
            self._checkout = pool.acquire(checkout)
        except BaseException:
            self._keep(checkout)
            raise
        self.isolation_level = IsolationLevel(
            self.settings_dict["OPTIONS"].get("isolation_level", IsolationLevel.READ_COMMITTED)
        )
        return checkout.connection

    def connect(self) -> None:
        """With CONN_HEALTH_CHECKS Django's own question is asked at each checkout."""
        self.autocommit = False  # as in a new wrapper
        super().connect()
        if self._checkout is not None and self.settings_dict["CONN_HEALTH_CHECKS"]:
            for _ in range(self._checkout.pool.config.max_conns):  # as many can be broken
                self.close_if_health_check_failed()
                if self.connection is not None:
                    break
                super().connect()

    def init_connection_state(self) -> None:
        if self._checkout is None or self._checkout.session is None:
            super().init_connection_state()
            return
        self.health_check_done = self._checkout.session.is_new
        if self.ensure_timezone() and not self.get_autocommit():
            self.connection.commit()

    def open_physical(self) -> Any:
        """Connect, with the parameters of this moment: passwords are rotated."""
        return self._connect(self.get_connection_params())

    def set_up_physical(self, connection: Any) -> None:
        """Role, time zone and whatever else Django sets for a session: its own code."""
        self.connection = connection
        try:
            self.set_autocommit(True)
            super().init_connection_state()
            connection_opened.send(sender=type(self), connection=self)
        finally:
            self.connection = None

    if django.VERSION >= (5, 1):

        def ensure_timezone(self) -> bool:
            """Compare, without a round trip, and set TIME_ZONE only where it differs.

            As before Django 5.1, whose own closes the pool first, with everybody who waits for it.
            """
            if self.connection is None:
                return False
            return bool(self._configure_timezone(self.connection))  # type: ignore[attr-defined]

    else:

        def ensure_connection(self) -> None:
            """As in Django >= 5.1: nothing may run outside of a transaction that was cut short.

            Otherwise a new connection would be taken, and what follows in the atomic block would
            be committed at once.
            """
            if self.connection is None and self.in_atomic_block and self.closed_in_transaction:
                raise ProgrammingError("Cannot open a new connection in an atomic block.")
            super().ensure_connection()

        def is_usable(self) -> bool:
            """As in Django >= 5.1: a connection that was given back is not."""
            return self.connection is not None and bool(super().is_usable())

    def create_cursor(self, name: str | None = None) -> Any:
        cursor = super().create_cursor(name)
        if self._checkout is not None and self._checkout.session is not None:
            self._checkout.session.add_cursor(cursor)
        return cursor

    def set_autocommit(self, autocommit: bool, *args: Any, **kwargs: Any) -> None:
        """Where there is no connection, the next one begins with autocommit by itself.

        atomic() asks for it after a rollback has failed, and would wait for another connection.
        """
        if autocommit and self._begins_with_autocommit():
            return
        super().set_autocommit(autocommit, *args, **kwargs)

    def _set_autocommit(self, autocommit: bool) -> None:
        """A connection is lent with autocommit on: Django asks for it at each checkout."""
        is_on = self._checkout is not None and not self.autocommit and self.connection.autocommit
        if not (autocommit and is_on):
            super()._set_autocommit(autocommit)  # type: ignore[misc]

    def get_autocommit(self) -> bool:
        """Nor does one have to be checked out to tell. ``on_commit()`` asks, for example."""
        if self._begins_with_autocommit() and not self.in_atomic_block:
            return True
        return bool(super().get_autocommit())

    def _begins_with_autocommit(self) -> bool:
        return self.connection is None and bool(self.settings_dict["AUTOCOMMIT"])

    # -- closing: the way back

    def _close(self) -> None:
        if self._checkout is None:
            super()._close()  # type: ignore[misc]  # not in django-stubs
            return
        # Detached first: whatever happens on the way back, and also within an atomic block, this
        # wrapper must not use a connection that may be somebody else's already.
        self.connection = None
        self._give_back()

    def _give_back(self) -> None:
        checkout, self._checkout = self._checkout, None
        if checkout is not None:
            try:
                checkout.pool.release(checkout)
            finally:
                self._keep(checkout)

    def _keep(self, checkout: Checkout) -> None:
        """For the next time. One is enough, where threads that share the wrapper had one each."""
        if checkout.session is not None:  # a signal handler has raised, where no kill can strike
            checkout.pool.release(checkout)
        if vars(self).setdefault("_last_checkout", checkout) is not checkout:
            checkout.untie()

    def close_if_unusable_or_obsolete(self) -> None:
        """The end of a request: CONN_MAX_AGE is 0, so no question to the server is needed."""
        if self.connection is not None and not self.in_atomic_block:
            self.close()

    def owner_ended(self) -> bool:
        """See :class:`django_db_geventpool.checkout.Borrower`."""
        if self._checkout is None or self.allow_thread_sharing:
            return False
        self.let_go()
        return True

    def let_go(self) -> None:
        """See :class:`django_db_geventpool.checkout.Borrower`."""
        self.connection = None
        self._checkout = None
        vars(self).pop("_last_checkout", None)  # whose end is noted already
