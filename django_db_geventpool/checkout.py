"""Who borrows from a pool, and one borrowing."""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING, Protocol

from .drivers import Connection
from .hubs import OwnerReference, Waiter
from .session import Opener, Session

if TYPE_CHECKING:
    from .pool import Pool


def nobody() -> None:
    """The reference of a checkout that is tied to no greenlet."""


class Borrower(Protocol):
    """Whoever checks a connection out: Django's DatabaseWrapper, as a rule."""

    def owner_ended(self) -> bool:
        """The greenlet that borrowed is over: let go of the connection, without I/O.

        False keeps it checked out, for a borrower that was shared with others on purpose.
        """

    def let_go(self) -> None:
        """Forget the connection, without I/O: it is not the borrower's any more."""


class Checkout:
    """A borrower's place in a pool, for one borrowing after another.

    In each it waits, if it has to, and then it holds a session or gets an error. It is tied to the
    greenlet that borrows with it, and stays so after the return, as most borrow again: until that
    ends, or another one borrows with it, or :meth:`untie`.
    """

    __slots__ = (
        "asked_at",
        "borrower",
        "error",
        "opener",
        "owner",
        "pool",
        "session",
        "waiter",
    )

    def __init__(self, pool: Pool, borrower: Borrower, opener: Opener) -> None:
        self.pool = pool
        self.opener = opener
        self.waiter: Waiter | None = None  # while it waits
        self.asked_at = 0.0  # when it began to wait, in the hub's time
        self.session: Session | None = None
        self.error: BaseException | None = None
        self.owner: OwnerReference = nobody  # the greenlet that it is tied to
        # Weak: a borrower that was just dropped has no use for its connection any more.
        self.borrower: weakref.ref[Borrower] | None = weakref.ref(borrower, self._borrower_gone)

    @property
    def connection(self) -> Connection:
        """The driver's connection object while it is held, else None."""
        return None if self.session is None else self.session.connection

    def tie(self) -> None:
        """To the greenlet that calls: its end gives the connection back, if need be."""
        if self.session is None and self.waiter is None:  # else acquire() will refuse it
            self.untie()
            self.owner = self.pool.hub.on_owner_end(self)

    def untie(self) -> None:
        """Let its greenlet keep nothing of it: it is used by another one, or not again."""
        owner, self.owner = self.owner, nobody
        if owner is not nobody:
            self.pool.hub.forget_owner(owner, self)

    def __call__(self, ended: object) -> None:
        """The greenlet that it is tied to has ended."""
        if ended is self.owner:  # freed, maybe inside a garbage collection
            self.owner = nobody
            self._tell_pool()
        elif ended is self.owner():  # at once: those who wait for that end may share the borrower
            self.owner = nobody
            self.pool.owner_ended(self)

    def _borrower_gone(self, _: object) -> None:
        # Maybe inside a garbage collection. Still tied while it holds something, for where the
        # pool cannot be told in this way: a thread of eventlet's own has a hub that never runs.
        if self.session is None:
            self.untie()
        else:
            self._tell_pool()

    def _tell_pool(self) -> None:
        # A collection can strike under the pool's lock, hence the detour. In a forked child the
        # parent's other threads are freed before the child can let go of what stays theirs.
        if self.session is not None and os.getpid() == self.pool.pid:
            self.pool.call_soon(self.pool.owner_ended, self)
