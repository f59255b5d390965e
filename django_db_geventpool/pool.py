"""The pool: MAX_CONNS slots, and never a connection without one.

Invariant, whenever the lock is free::

    idle + held + opening + closing + empty = MAX_CONNS
    opening >= the number of waiters, or empty = 0

So a slot is taken *before* its connection is opened, and is empty again only after its session is
over on the server; and nobody waits while something could be done about it. All accounting happens
under the lock; all I/O, every wake-up and every log record outside of it. A greenlet can be killed
at every switch point, and no line under the lock is one.

A connection is opened in a greenlet of its own, not in the one that asked for it: a kill or a
Timeout of the latter then never leaves a half-opened session behind, and whoever returns a
connection meanwhile serves it earlier.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import partial
from itertools import islice

from .checkout import Borrower, Checkout, Connect
from .config import PoolConfig
from .drivers import Driver, State
from .errors import PoolClosed, PoolError, PoolTimeout
from .hubs import Hub
from .session import Session
from .stats import PoolStats

logger = logging.getLogger("django_db_geventpool")

#: Seconds that the rollback of a returned connection may take, before it is dropped instead.
RESET_TIMEOUT = 5.0

Then = Callable[[], object]  # what to do as soon as the lock is free


class Pool:
    """The connections of one process to one database alias.

    :param name: how messages call it: the alias.
    """

    def __init__(self, name: str, config: PoolConfig, hub: Hub, driver: Driver) -> None:
        self.name = name
        self.config = config
        self.call_soon = hub.call_soon
        self._hub = hub
        self._driver = driver
        self._lock = hub.make_lock()
        # All of these: read and written under the lock only.
        self._idle: list[Session] = []  # last in, first out: the warmest one is lent
        self._held: set[Checkout] = set()
        self._opening = 0
        self._closing = 0
        self._waiting: OrderedDict[Checkout, None] = OrderedDict()  # first come, first served
        self._closed = False

    def __repr__(self) -> str:
        return f"<Pool {self.name!r}: {self.stats()}>"

    # -- borrowing

    def acquire(self, borrower: Borrower, connect: Connect, key: Hashable = None) -> Checkout:
        """Check a connection out for the calling greenlet, opening one if there is room.

        :param connect: opens a physical connection; called in another greenlet.
        :param key: what kind of connection: only one that was opened for an equal key is lent.
        :raises PoolTimeout: after ``WAIT_TIMEOUT`` seconds without a free slot.
        """
        while True:
            checkout = Checkout(self, borrower, connect, key)
            with self._lock:
                if self._closed:
                    raise PoolClosed(f"pool {self.name!r} is closed")
                session = self._take_idle(key)
                if session is not None:
                    self._lend(session, checkout)
                else:
                    checkout.waiter = self._hub.make_waiter()
                    self._waiting[checkout] = None
                    todo = self._plan()
            if session is None:
                self._wait(checkout, todo)
                break
            if session.is_alive():
                break
            self._take_back(checkout, clean=False)  # the server went away, or ended it
        # These hold the borrower and its hub, who are not ours to keep.
        checkout.connect = checkout.waiter = None
        checkout.forget_owner = self._hub.on_owner_end(partial(self.owner_ended, checkout))
        return checkout

    def release(self, checkout: Checkout) -> None:
        """Take a connection back: rolled back and restored it goes on, or else it is dropped.

        :raises PoolError: if the checkout is not (or no longer) held.
        """
        if checkout.session is None:
            raise PoolError(f"pool {self.name!r}: this connection is not checked out")
        clean = False
        try:
            clean = self._reset(checkout.session)
        finally:  # also when killed while rolling back
            self._take_back(checkout, clean)

    def close(self, *, wait: bool = True) -> None:
        """Close what is idle now, what is held on its return, and send every waiter away.

        :param wait: return only when the server has let go of the idle connections.
        """
        with self._lock:
            self._closed = True
            waiters = [checkout.waiter for checkout in self._waiting]
            self._waiting.clear()
        for waiter in waiters:
            if waiter is not None:
                waiter.wake()
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
                session = self._idle.pop(0)
                self._closing += 1
            self._end(session, wait)

    def abandon(self) -> list[object]:
        """In a forked child: let go of what is the parent's, without a word to the server.

        Returns what must be kept for ever, because its destructor might say goodbye.
        """
        self._lock = self._hub.make_lock()  # whoever held it did not come along
        self._closed = True
        kept: list[object] = [*self._idle]
        for checkout in self._held:
            kept.append(checkout.session)
            checkout.session = None
            borrower = None if checkout.borrower is None else checkout.borrower()
            if borrower is not None:
                borrower.let_go()
        return kept

    def stats(self) -> PoolStats:
        """The counts of this moment."""
        with self._lock:
            return self._stats()

    # -- the steps of a checkout

    def _wait(self, checkout: Checkout, todo: list[Then]) -> None:
        """Until the checkout holds a session; if it ends otherwise, it has left the queue."""
        assert checkout.waiter is not None
        started = time.monotonic()
        try:
            _do(todo)
            checkout.waiter.wait(self.config.wait_timeout)
            if self._is_assured(checkout):  # of a slot; the connect has a time limit of its own
                checkout.waiter.wait(None)
        except BaseException:
            with self._lock:
                self._waiting.pop(checkout, None)
            if checkout.session is not None:  # served in the moment in which it was killed
                self._take_back(checkout, clean=True)
            raise
        with self._lock:
            stats = self._stats()
            timed_out = checkout in self._waiting
            if timed_out:
                del self._waiting[checkout]
        error, checkout.error = checkout.error, None
        if error is not None:
            try:
                raise error
            finally:
                del error  # else its traceback and this frame would keep each other alive
        if timed_out:
            raise PoolTimeout(self._timeout_message(stats, time.monotonic() - started))
        if checkout.session is None:
            raise PoolClosed(f"pool {self.name!r} was closed while waiting for a connection")

    def _is_assured(self, checkout: Checkout) -> bool:
        """Whether a connection is being opened for it, or one closed that makes room for that."""
        with self._lock:
            return checkout in islice(self._waiting, self._opening + self._closing)

    def _open(self, connect: Connect, key: Hashable) -> None:
        """Open a connection for a slot that counts as opening, in a greenlet of its own."""
        session = error = None
        try:
            session = Session(self._driver, self._hub, connect(), key)
        except BaseException as problem:
            error = problem
            _let_go_of_locals(problem)
        with self._lock:
            self._opening -= 1
            todo = [self._place(session) if session else self._disappoint(key, error)]
            todo += self._plan()
        _do(todo)

    def _reset(self, session: Session) -> bool:
        """Make a returned connection fit for the next borrower; False if it cannot be."""
        try:
            with self._hub.limit(RESET_TIMEOUT):
                state = session.reset()
        except Exception as error:
            # The type only: a driver's message may quote the connection string.
            problem = f"its reset failed: {type(error).__name__}"
        else:
            if state is State.READY and session.is_set_up:
                return True
            problem = f"it is {state.value}" if session.is_set_up else "its set-up was not complete"
        logger.warning("pool %r: dropping a connection, %s", self.name, problem)
        return False

    def _take_back(self, checkout: Checkout, clean: bool) -> None:
        """End a checkout; what is clean goes on, what is not is closed off the caller's path."""
        with self._lock:
            session, checkout.session = checkout.session, None
            assert session is not None
            self._held.discard(checkout)
            then = self._place(session) if clean else self._retire(session)
        checkout.borrower = None
        if checkout.forget_owner is not None:
            checkout.forget_owner()
        then()

    def _end(self, session: Session, wait: bool = True) -> None:
        """Close a session that counts as closing, then free its slot."""
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
                todo = self._plan()
            _do(todo)

    def owner_ended(self, checkout: Checkout, *_: object) -> None:
        """Its greenlet ended, or its borrower is gone. Runs in the hub, so no I/O and no log."""
        reference = checkout.borrower
        if checkout.session is None or reference is None:
            return
        borrower = reference()
        if borrower is None or borrower.owner_ended():
            checkout.borrower = None  # one of the two occasions is enough
            self._hub.spawn(self._reclaim, checkout)

    def _reclaim(self, checkout: Checkout) -> None:
        if checkout.session is not None:
            logger.debug("pool %r: taking back the connection of an ended greenlet", self.name)
            self.release(checkout)

    # -- accounting: the lock is held

    def _take_idle(self, key: Hashable) -> Session | None:
        for index in range(len(self._idle) - 1, -1, -1):
            if self._idle[index].key == key:
                return self._idle.pop(index)
        return None

    def _lend(self, session: Session, checkout: Checkout) -> None:
        checkout.session = session
        self._held.add(checkout)

    def _place(self, session: Session) -> Then:
        """A session in good order: to a waiter, among the idle, or out."""
        checkout = self._next_waiter(session.key)
        if checkout is not None:
            self._lend(session, checkout)
            assert checkout.waiter is not None
            return checkout.waiter.wake
        if self._waiting or self._closed or len(self._idle) >= self.config.reuse_conns:
            return self._retire(session)
        self._idle.append(session)
        return _nothing

    def _retire(self, session: Session) -> Then:
        self._closing += 1
        return partial(self._hub.spawn, self._end, session)

    def _next_waiter(self, key: Hashable) -> Checkout | None:
        """Out of the queue comes the first waiter, if it waits for this kind of connection.

        Among those for whom connections are being opened it may be a later one.
        """
        for checkout in islice(self._waiting, self._opening + 1):
            if checkout.key == key:
                del self._waiting[checkout]
                return checkout
        return None

    def _disappoint(self, key: Hashable, error: BaseException | None) -> Then:
        """A connect failed: whoever waits longest for it is told, the others go on waiting."""
        checkout = self._next_waiter(key)
        if checkout is None:
            name = type(error).__name__
            return partial(logger.warning, "pool %r: a connect failed: %s", self.name, name)
        interrupted = PoolError(f"pool {self.name!r}: opening a connection was interrupted")
        checkout.error = error if isinstance(error, Exception) else interrupted
        assert checkout.waiter is not None
        return checkout.waiter.wake

    def _plan(self) -> list[Then]:
        """Whatever lets the waiters get on: open in empty slots, clear slots of other kinds."""
        todo: list[Then] = []
        used = len(self._idle) + len(self._held) + self._opening + self._closing
        for checkout in islice(self._waiting, self._opening, None):
            if used >= self.config.max_conns:
                break
            used += 1
            self._opening += 1
            todo.append(partial(self._hub.spawn, self._open, checkout.connect, checkout.key))
        while self._idle and self._opening + self._closing < len(self._waiting):
            todo.append(self._retire(self._idle.pop(0)))
        return todo

    def _stats(self) -> PoolStats:
        return PoolStats(
            size=self.config.max_conns,
            idle=len(self._idle),
            in_use=len(self._held),
            opening=self._opening,
            closing=self._closing,
            waiting=len(self._waiting),
        )

    # -- words

    def _timeout_message(self, stats: PoolStats, waited: float) -> str:
        return (
            f"pool {self.name!r}: no connection became free within {waited:.1f} s "
            f"({stats}). Look for slow queries and long transactions, and for "
            "greenlets that hold a connection while they wait for something else "
            "(close_connection gives it back); then raise MAX_CONNS, or WAIT_TIMEOUT, if the "
            "server has room."
        )


def _nothing() -> None:
    pass


def _do(todo: list[Then]) -> None:
    for then in todo:
        then()


def _let_go_of_locals(error: BaseException) -> None:
    """A traceback that somebody keeps would keep a half-opened connection open, and passwords."""
    seen: BaseException | None = error
    while seen is not None:
        traceback.clear_frames(seen.__traceback__)
        seen = seen.__context__
