"""``RELEASE="transaction"``: the connection goes back when nothing needs it any more.

Nothing does outside of a transaction, when no cursor is open, nobody has asked for it by
``hold_connection()``, and no statement has left something in the session that a later one may
want: what PgBouncer's transaction pooling does, with nothing lost. Each moment in which the last
of these may have ended calls :meth:`EarlyRelease.release_early`.
"""

from __future__ import annotations

import _thread
import contextlib
from collections.abc import Callable
from typing import Any

from django.db import NotSupportedError
from django.db.backends.postgresql import base as postgresql
from django.db.backends.utils import CursorWrapper

from ..checkout import Checkout
from ..drivers import State
from .statements import asks_about_another, is_harmless, leaves_something, text_of


class _ReleasingCursor:
    """A cursor of Django's that says when a statement leaves something, and when it is closed."""

    cursor: Any
    db: EarlyRelease
    _has_run = False

    def _execute(self, sql: Any, *args: Any) -> Any:
        return self._run(super()._execute, sql, *args)  # type: ignore[misc]

    def _executemany(self, sql: Any, *args: Any) -> Any:
        return self._run(super()._executemany, sql, *args)  # type: ignore[misc]

    def callproc(self, procname: str, *args: Any) -> Any:
        self.db.look_at(f"select {procname}(", is_first=not self._has_run)
        return super().callproc(procname, *args)  # type: ignore[misc]

    def _run(self, execute: Callable[..., Any], sql: Any, *args: Any) -> Any:
        self.db.look_at(sql, is_first=not self._has_run)
        self._has_run = True
        try:
            return execute(sql, *args)
        except Exception:
            raise
        except BaseException:  # a kill or a Timeout: the ORM closes its cursor after an Exception
            with contextlib.suppress(Exception):
                self.close()
            raise

    def close(self) -> None:
        try:
            self.cursor.close()
        finally:
            self.db.cursor_closed(self.cursor)


class ReleasingCursor(_ReleasingCursor, CursorWrapper): ...


class ReleasingDebugCursor(_ReleasingCursor, postgresql.CursorDebugWrapper): ...


class EarlyRelease(postgresql.DatabaseWrapper):
    """A wrapper that may give its connection back before the request ends."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._checkout: Checkout | None = None
        self._early = False  # while connected, and if the pool's settings say so
        self._pinned = False  # of this connection: its session is not like others any more
        self._holds = 0
        self._steps = 0  # those of Django's that use the connection, and are under way

    def connect(self) -> None:
        self._early = self._pinned = False
        super().connect()
        checkout = self._checkout
        self._early = checkout is not None and checkout.pool.config.release == "transaction"

    def hold(self) -> None:
        """Keep the connection, once there is one, until as many calls of :meth:`let_loose`."""
        self._holds += 1

    def let_loose(self) -> None:
        self._holds -= 1
        self.release_early()

    def look_at(self, sql: Any, is_first: bool) -> None:
        """Before a statement: does the session have to stay with this wrapper after it?

        :param is_first: of those of its cursor.
        :raises NotSupportedError: if it asks about a statement of maybe another session.
        """
        if self._pinned:
            return
        text = sql if isinstance(sql, str) else text_of(sql, self.connection)
        text = text.lower()
        if is_harmless(text):
            return
        self._pinned = leaves_something(text)
        if is_first and asks_about_another(text) and self._is_free(open_cursors=1):
            raise NotSupportedError(
                "currval() and lastval() ask about an earlier statement of the same session, and "
                "with OPTIONS['RELEASE'] = 'transaction' that was maybe another one. Run both "
                "inside atomic(), or inside django_db_geventpool.utils.hold_connection()."
            )

    def cursor_closed(self, cursor: Any) -> None:
        if self._checkout is not None and self._checkout.session is not None:
            self._checkout.session.remove_cursor(cursor)
        self.release_early()

    def release_early(self) -> None:
        """Give the connection back, if nothing needs it any more."""
        if self._is_free():
            hooks = self.run_on_commit  # close() throws them away
            self._steps += 1  # what a subclass asks the database in its close() is one of them
            try:
                self.close()  # not _close(): a subclass forgets there what it has set in a session
            finally:
                self._steps -= 1
                self.run_on_commit = hooks

    def _is_free(self, open_cursors: int = 0) -> bool:
        checkout = self._checkout
        return (
            self._early
            and self.connection is not None
            and checkout is not None
            and checkout.session is not None
            and self.autocommit  # never inside of atomic()
            and not self._holds
            and not self._steps
            and not self._pinned
            and len(checkout.session.cursors) <= open_cursors
            and not self.allow_thread_sharing
            # A garbage collection may close a cursor for whoever happens to run, while the owner is
            # in the midst of something.
            and self._thread_ident == _thread.get_ident()  # type: ignore[attr-defined]
            and checkout.session.state is not State.DIRTY
        )

    # -- Django's own methods, after which a connection may be free

    def make_cursor(self, cursor: Any) -> Any:
        return ReleasingCursor(cursor, self) if self._early else super().make_cursor(cursor)

    def make_debug_cursor(self, cursor: Any) -> Any:
        if self._early:
            return ReleasingDebugCursor(cursor, self)
        return super().make_debug_cursor(cursor)

    # A garbage collection may close a forgotten cursor at any line of theirs.

    def _cursor(self, name: str | None = None) -> Any:
        self._steps += 1
        try:
            return super()._cursor(name)  # type: ignore[misc]  # not in django-stubs
        finally:
            self._steps -= 1

    def set_autocommit(self, autocommit: bool, *args: Any, **kwargs: Any) -> None:
        self._steps += 1
        try:
            super().set_autocommit(autocommit, *args, **kwargs)
        finally:
            self._steps -= 1
        if autocommit:  # the end of a transaction
            self.release_early()

    def run_and_clear_commit_hooks(self) -> None:
        """They are the site's, and may take their time. (set_autocommit() calls it.)"""
        steps, self._steps = self._steps, 0
        try:
            self.release_early()
            super().run_and_clear_commit_hooks()
        finally:
            self._steps = steps
