"""The pool: ``size`` slots, and never a connection without one.

Invariant, whenever the lock is free::

    idle + held + closing + empty = size        (held counts the connections being opened)
    a waiter waits only while idle = empty = 0

So a slot is taken *before* its connection is opened, and given on only after its connection is
over on the server; whoever frees a slot hands it to the first waiter in the same breath. All
accounting happens under the lock, all I/O outside it. A greenlet can be killed at every switch
point, and no line under the lock is one.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from .config import PoolConfig
from .drivers import Connection, Driver, State
from .errors import PoolClosed, PoolError, PoolTimeout
from .hubs import Hub, Waiter
from .session import Session

logger = logging.getLogger("django_db_geventpool")


class Borrower(Protocol):
    """Whoever checks a connection out: Django's DatabaseWrapper, as a rule."""

    def owner_ended(self) -> bool:
        """The greenlet that borrowed is over: let go of the connection, without I/O.

        False keeps it checked out, for a borrower that was shared with others on purpose.
        """


class Slot:
    """One of the pool's places."""

    __slots__ = ("note", "session")

    def __init__(self) -> None:
        self.session: Session | None = None  # None: empty, or being opened
        #: The borrowers' own: what they remember of this session.
        self.note: Any = None


class Checkout:
    """One borrowing: waiting until it has a slot, then held until it has none again."""

    __slots__ = ("borrower", "forget_owner", "pool", "slot", "waiter")

    def __init__(self, pool: Pool, borrower: Borrower) -> None:
        self.pool = pool
        self.borrower = borrower
        self.slot: Slot | None = None
        self.waiter: Waiter | None = None
        self.forget_owner: Callable[[], object] | None = None

    @property
    def connection(self) -> Connection:
        """The driver's connection object, while it is held; else None."""
        slot = self.slot
        return None if slot is None or slot.session is None else slot.session.connection


@dataclass(frozen=True)
class PoolStats:
    """The pool at one moment. ``idle + in_use + opening + closing + empty = size``."""

    size: int
    idle: int
    in_use: int
    opening: int
    closing: int
    waiting: int

    @property
    def empty(self) -> int:
        return self.size - self.idle - self.in_use - self.opening - self.closing


class Pool:
    """The connections of one process to one database.

    :param name: how messages call it: the database alias.
    """

    def __init__(self, name: str, config: PoolConfig, hub: Hub, driver: Driver) -> None:
        self.name = name
        self.config = config
        self._hub = hub
        self._driver = driver
        self._lock = hub.make_lock()
        # All of these: read and written under the lock only.
        self._idle: list[Slot] = []  # last in, first out: the surplus grows old and is found
        self._held: set[Checkout] = set()
        self._closing = 0
        self._waiting: OrderedDict[Checkout, None] = OrderedDict()  # first come, first served
        self._closed = False

    def __repr__(self) -> str:
        return f"<Pool {self.name!r}: {self._numbers(self.stats())}>"

    # -- borrowing

    def acquire(self, borrower: Borrower, connect: Callable[[], Connection]) -> Checkout:
        """Check a connection out for the calling greenlet, opening one if there is room.

        :param connect: opens a physical connection; it may wait, fail or be killed.
        :raises PoolTimeout: after ``WAIT_TIMEOUT`` seconds without a free slot.
        """
        checkout = Checkout(self, borrower)
        with self._lock:
            if self._closed:
                raise PoolClosed(f"pool {self.name!r} is closed")
            if self._idle:
                self._lend(self._idle.pop(), checkout)
            elif len(self._held) + self._closing < self.config.max_conns:
                self._lend(Slot(), checkout)
            else:
                checkout.waiter = self._hub.make_waiter()
                self._waiting[checkout] = None
        if checkout.waiter is not None:
            self._wait(checkout, checkout.waiter)
        checkout.forget_owner = self._hub.on_owner_end(lambda: self._owner_ended(checkout))
        slot = checkout.slot
        assert slot is not None
        if slot.session is None:
            self._open(checkout, slot, connect)
        return checkout

    def release(self, checkout: Checkout) -> None:
        """Take a connection back: rolled back and restored it goes on, or else it is dropped.

        :raises PoolError: if the checkout is not (or no longer) held.
        """
        slot = checkout.slot
        if slot is None or slot.session is None:
            raise PoolError(f"pool {self.name!r}: this connection is not checked out")
        try:
            clean = self._reset(slot.session)
        except BaseException:  # killed while rolling back
            self._drop(checkout, slot)
            raise
        if clean:
            self._settle(checkout, slot)
        else:
            self._drop(checkout, slot)

    def close(self, *, wait: bool = True) -> None:
        """Close what is idle now, what is held on its return, and send every waiter away.

        :param wait: return only when the server has let go of the idle connections.
        """
        with self._lock:
            self._closed = True
            waiting = list(self._waiting)
            self._waiting.clear()
        for checkout in waiting:
            if checkout.waiter is not None:
                checkout.waiter.wake()
        self.drop_idle(wait=wait)

    def drop_idle(self, *, wait: bool = True) -> None:
        """Close the connections that nobody uses now; the next borrowers open new ones.

        :param wait: as for :meth:`close`.
        """
        # One by one, so that a kill in between leaves the rest idle and accounted for.
        for _ in range(self.stats().idle):
            with self._lock:
                if not self._idle:
                    return
                slot = self._idle.pop(0)
                self._closing += 1
            self._end(slot, wait)

    def stats(self) -> PoolStats:
        """The counts of this moment."""
        with self._lock:
            return self._stats()

    # -- the steps of a checkout

    def _wait(self, checkout: Checkout, waiter: Waiter) -> None:
        started = time.monotonic()
        timeout = self.config.wait_timeout
        try:
            waiter.wait(timeout)
        except BaseException:
            with self._lock:
                self._waiting.pop(checkout, None)
            # Killed in the very moment in which a slot was handed over: it must go on.
            if checkout.slot is not None:
                self._settle(checkout, checkout.slot)
            raise
        with self._lock:
            if checkout.slot is not None:
                return
            if self._closed:
                raise PoolClosed(f"pool {self.name!r} was closed while waiting for a connection")
            del self._waiting[checkout]
            stats = self._stats()
        raise PoolTimeout(self._timeout_message(stats, time.monotonic() - started))

    def _open(self, checkout: Checkout, slot: Slot, connect: Callable[[], Connection]) -> None:
        try:
            slot.session = Session(self._driver, self._hub, connect())
        except BaseException:
            self._settle(checkout, slot)
            raise

    def _reset(self, session: Session) -> bool:
        """Make a returned connection fit for the next borrower; False if it cannot be."""
        try:
            state = session.reset()
        except Exception as error:
            # The type only: a driver's message may quote the connection string.
            problem = f"its reset failed: {type(error).__name__}"
        else:
            if state is State.READY:
                return True
            problem = f"it is {state.value}"
        logger.warning("pool %r: dropping a connection, %s", self.name, problem)
        return False

    def _settle(self, checkout: Checkout, slot: Slot) -> None:
        """End a checkout whose slot is clean or empty: to the first waiter, else to the idle."""
        with self._lock:
            surplus = slot.session is not None and (
                self._closed or not self._waiting and len(self._idle) >= self.config.reuse_conns
            )
            waiter = None
            if not surplus:
                self._held.discard(checkout)
                checkout.slot = None
                waiter = self._hand_over(slot)
        if surplus:
            self._drop(checkout, slot)
        else:
            self._finish(checkout, waiter)

    def _drop(self, checkout: Checkout, slot: Slot) -> None:
        """Take the slot from its borrower and close its connection off the borrower's path."""
        with self._lock:
            self._held.discard(checkout)
            checkout.slot = None
            self._closing += 1
        self._finish(checkout, None)
        self._hub.spawn(self._end, slot)

    def _end(self, slot: Slot, wait: bool = True) -> None:
        """Close the connection of a slot that counts as closing, then free the slot."""
        session, slot.session, slot.note = slot.session, None, None
        assert session is not None
        try:
            if wait:
                session.end()
            else:
                session.close()
        except Exception as error:
            logger.warning(
                "pool %r: closing a connection failed: %s", self.name, type(error).__name__
            )
        finally:
            with self._lock:
                self._closing -= 1
                waiter = self._hand_over(slot)
            if waiter is not None:
                waiter.wake()

    def _finish(self, checkout: Checkout, waiter: Waiter | None) -> None:
        if checkout.forget_owner is not None:
            checkout.forget_owner()
            checkout.forget_owner = None
        if waiter is not None:
            waiter.wake()

    def _owner_ended(self, checkout: Checkout) -> None:
        """The greenlet ended with its connection checked out; runs in the hub, so no I/O."""
        slot = checkout.slot
        if slot is None or slot.session is None or not checkout.borrower.owner_ended():
            return
        self._hub.spawn(self.release, checkout)
        logger.debug("pool %r: taking back the connection of an ended greenlet", self.name)

    # -- accounting: the lock is held

    def _lend(self, slot: Slot, checkout: Checkout) -> None:
        checkout.slot = slot
        self._held.add(checkout)

    def _hand_over(self, slot: Slot) -> Waiter | None:
        """A free slot goes to the first waiter, who is returned to be woken; else it rests."""
        if self._waiting:
            first, _ = self._waiting.popitem(last=False)
            self._lend(slot, first)
            return first.waiter
        if slot.session is not None:
            self._idle.append(slot)
        return None

    def _stats(self) -> PoolStats:
        opening = sum(1 for c in self._held if c.connection is None)
        return PoolStats(
            size=self.config.max_conns,
            idle=len(self._idle),
            in_use=len(self._held) - opening,
            opening=opening,
            closing=self._closing,
            waiting=len(self._waiting),
        )

    # -- words

    @staticmethod
    def _numbers(stats: PoolStats) -> str:
        return (
            f"MAX_CONNS {stats.size}, {stats.in_use} in use, {stats.idle} idle, "
            f"{stats.opening} opening, {stats.closing} closing, {stats.waiting} waiting"
        )

    def _timeout_message(self, stats: PoolStats, waited: float) -> str:
        return (
            f"pool {self.name!r}: no connection became free within {waited:.1f} s "
            f"({self._numbers(stats)}). Look for slow queries and long transactions, and for "
            "greenlets that hold a connection while they wait for something else "
            "(close_connection gives it back); then raise MAX_CONNS, or WAIT_TIMEOUT, if the "
            "server has room."
        )
