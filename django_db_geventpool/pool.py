"""The pool: MAX_CONNS slots, and never a connection without one.

Invariant, whenever the lock is free::

    idle + held + opening + closing + empty = MAX_CONNS
    opening >= the number of waiters, or empty = 0, or connects fail and opening >= 1

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
import os
from collections.abc import Callable
from itertools import islice

from .checkout import Checkout
from .config import PoolConfig
from .drivers import Driver, State
from .errors import PoolClosed, PoolError, PoolTimeout, let_go_of_locals, timeout_message
from .hubs import Hub
from .session import Opener, Session, sever
from .slots import Slots, Then, do
from .stats import PoolStats, Why
from .watch import ExhaustionWatch, Holder, LeakWatch, Loan

logger = logging.getLogger("django_db_geventpool")

#: Seconds that the rollback of a returned connection may take, before it is dropped instead.
RESET_TIMEOUT = 5.0
#: Seconds that closing waits for connections that are still held.
CLOSE_TIMEOUT = 5.0


class Pool(Slots):
    """The connections of one process to one database alias.

    :param name: how messages call it: the alias.
    """

    def __init__(self, name: str, config: PoolConfig, hub: Hub, driver: Driver) -> None:
        super().__init__(name, config, hub)
        self.call_soon = hub.call_soon
        self.pid = os.getpid()
        self._current_owner = hub.current_owner
        self._driver = driver
        self._discards = config.reset == "discard"
        self._lock = hub.make_lock()
        self._leaks = LeakWatch(self, config.leak_threshold, hub)
        self._exhaustion = ExhaustionWatch(self, hub)

    @property
    def hub(self) -> Hub:
        """What it waits on."""
        return self._hub

    def __repr__(self) -> str:
        return f"<Pool {self.name!r}: {self.stats()}>"

    # -- borrowing

    def acquire(self, checkout: Checkout) -> Checkout:
        """Check a connection out for the calling greenlet, opening one if there is room.

        :param checkout: one that holds nothing; it is returned with a session. Its opener's
            ``connect()`` is called in another greenlet, where a connection must be opened.
        :raises PoolTimeout: after ``WAIT_TIMEOUT`` seconds without a free slot.
        :raises PoolClosed: if the pool is closed, or is closed meanwhile.
        :raises PoolError: if the checkout is in use, or for a finalizer that struck in the pool.
        """
        if self._lock._is_owned():
            raise PoolError(f"pool {self.name!r}: a connection was asked for by a finalizer")
        if checkout.owner() is not self._current_owner():
            checkout.tie()
        asked_at = 0.0
        while True:
            with self._lock:
                if checkout.session is not None or checkout.waiter is not None:
                    raise PoolError(f"pool {self.name!r}: this checkout is in use already")
                if self._closed:
                    raise PoolClosed(f"pool {self.name!r} is closed")
                session = self._lend_idle(checkout)
                if session is None:
                    checkout.asked_at = asked_at = asked_at or self._monotonic()
                    checkout.waiter = self._hub.make_waiter()
                    self._waiting[checkout] = None
                    todo = [] if self._all_are_held() else self._plan()
            if session is None:
                session = self._wait(checkout, todo)
            if session.is_alive():
                break
            checkout.session = None
            self._give_on(session, Why.GONE)  # the server went away, or ended it
        if self._leaks.is_on:
            self._leaks.lent()
        return checkout

    def release(self, checkout: Checkout) -> None:
        """Take a connection back: made fit for the next borrower it goes on, or it is dropped.

        :raises PoolError: if the checkout is not (or no longer) held.
        """
        session = checkout.session
        if session is None:
            raise PoolError(f"pool {self.name!r}: this connection is not checked out")
        # To discard takes round trips, which are not the caller's. Or a garbage collection has
        # struck under the lock, and closes a cursor.
        if self._discards or self._lock._is_owned():
            checkout.session = None
            reset = session.renew if self._discards else session.reset
            self._hub.spawn(self._release_parted, session, reset)
            return
        clean = False
        try:
            clean = session.is_clean() or self._reset(session, session.reset)
        finally:  # also when killed while rolling back
            if checkout.session is session:  # else this goes on in a forked child: see abandon()
                checkout.session = None
                self._give_on(session, None if clean else Why.UNFIT)

    # -- the pool's own life

    def close(self, timeout: float = CLOSE_TIMEOUT) -> bool:
        """Send every waiter away, close what is idle now, and what is held when it comes back.

        Waits at most *timeout* seconds until the last session has left the server; True if it
        has. What is held after that keeps its slot until it is returned, also if the pool is
        opened again meanwhile (and then, with new ones, the answer is False).
        """
        with self._lock:
            self._closed = True
            self._generation += 1
            todo: list[Then] = [each.waiter.wake for each in self._waiting if each.waiter]
            self._waiting.clear()
            todo += self._retire_idle()
            self._lifetime.rang()
        self._lifetime.stop()
        do(todo)
        return self._await(lambda: self._used() == 0, timeout)

    def open(self) -> None:
        """Lend connections (again)."""
        self._closed = False

    @property
    def closed(self) -> bool:
        return self._closed

    def drop_idle(self, timeout: float = CLOSE_TIMEOUT) -> bool:
        """Close the connections that nobody uses now; the next borrowers open new ones.

        Waits at most *timeout* seconds until the server has let go of them; True if it has.
        """
        with self._lock:
            todo = self._retire_idle()
        do(todo)
        return self._await(lambda: self._closing == 0, timeout)

    def say_goodbye(self) -> None:
        """At the end of the process: close what is idle, and wait for nothing."""
        with self._lock:
            self._closed = True
            sessions, self._idle = self._idle, []
        for session in sessions:
            session.close()

    def abandon(self) -> list[Session]:
        """In a forked child: let go of what is the parent's, without a word to the server.

        Returns what must be kept for ever: a greenlet of the parent may stand in the midst of it.
        """
        self._lock = self._hub.make_lock()  # whoever held it did not come along
        self._closed = True
        self._waiting.clear()  # nor did those who wait; only their greenlets look as if
        self._generation += 1  # its openers go on in the child, too
        kept = [*self._idle, *self._held]
        sever(self._hub.waited_fds())  # of connects that are under way, for example
        for session in kept:
            sever(session.fds())
        self._idle = []
        for checkout in self._held.values():
            checkout.session = None
            borrower = None if checkout.borrower is None else checkout.borrower()
            if borrower is not None:
                borrower.let_go()
        return kept

    def stats(self) -> PoolStats:
        """The counts of this moment."""
        with self._lock:
            return self._stats()

    def holders(self, stacks: int | None = None) -> list[Holder]:
        """Who holds a connection now; whoever has held one for longest comes first.

        :param stacks: of how many of them to tell where they are; of all, if None.
        """
        return [holder for _, holder in self._leaks.holders(stacks)]

    def longest_wait(self) -> float | None:
        """For how many seconds the first in the queue has been waiting; None if nobody is."""
        with self._lock:
            first = next(iter(self._waiting), None)
            return None if first is None else self._monotonic() - first.asked_at

    def loans(self) -> list[Loan]:
        """What is lent now, but for what is on its way, there or back."""
        with self._lock:
            now = self._monotonic()
            return [
                (session, checkout.owner, now - session.lent_at)
                for session, checkout in self._held.items()
                if checkout.session is session and checkout.waiter is None
            ]

    def tidy(self) -> None:
        """Close idle connections whose time is over. A timer calls it when one's is."""
        with self._lock:
            self._lifetime.rang()
            now, todo = self._monotonic(), []
            for session in list(self._idle):  # the first one has been idle for longest
                if self._due(session) <= now:
                    self._idle.remove(session)
                    is_old = session.expires_at <= now
                    todo.append(self._retire(session, Why.LIFETIME if is_old else Why.IDLE))
            todo += [self._rest(session) for session in self._idle]
        do(todo)

    # -- the steps of a checkout

    def _wait(self, checkout: Checkout, todo: list[Then]) -> Session:
        """Until the checkout holds a session; if it ends otherwise, it has left the queue."""
        assert checkout.waiter is not None
        try:
            self._exhaustion.waits()
            if todo:
                do(todo)
            checkout.waiter.wait(self.config.wait_timeout)
            # Assured of a slot? The connect has a time limit of its own.
            if checkout.session is None and self._is_assured(checkout):
                checkout.waiter.wait(None)
        except BaseException:
            with self._lock:
                self._waiting.pop(checkout, None)
                checkout.waiter = checkout.error = None
            session, checkout.session = checkout.session, None
            if session is not None:  # served in the moment in which it was killed
                self._give_on(session, None)
            raise
        session = checkout.session or self._unserved(checkout)
        checkout.waiter = None  # it holds the borrower's hub, which is not ours to keep
        return session

    def _unserved(self, checkout: Checkout) -> Session:
        """Say why; or the session, if it came in the last moment."""
        with self._lock:
            stats, failures = self._stats(), self._backoff.failures
            checkout.waiter = None
            timed_out = checkout in self._waiting
            if timed_out:
                del self._waiting[checkout]
                self._counts.timeouts += 1
        error, checkout.error = checkout.error, None
        if error is not None:
            try:
                raise error
            finally:
                del error  # else its traceback and this frame would keep each other alive
        if timed_out:
            waited = self._monotonic() - checkout.asked_at
            raise PoolTimeout(timeout_message(self.name, stats, waited, failures))
        if checkout.session is None:
            raise PoolClosed(f"pool {self.name!r} was closed while waiting for a connection")
        return checkout.session

    def _is_assured(self, checkout: Checkout) -> bool:
        """Whether a connection is being opened for it, or one closed that makes room for that."""
        with self._lock:
            return checkout in islice(self._waiting, self._opening + self._closing)

    def _open(self, opener: Opener, generation: int, delay: float) -> None:
        """Open a connection for a slot that counts as opening, in a greenlet of its own."""
        session = error = None
        try:
            if delay:
                self._hub.sleep(delay)
            began = self._monotonic()
            session = Session(self._driver, self._hub, opener, generation)
            session.set_up()
            self._lifetime.begin(session)
        except BaseException as problem:
            error = problem
            let_go_of_locals(problem)
        with self._lock:
            self._opening -= 1
            if session is not None and error is None:
                self._backoff.succeeded()
                now = self._monotonic()
                self._counts.connects.add(now - began)
                todo = [self._place(session, now)]
            else:
                self._backoff.failed()
                self._counts.failed_connects += 1
                todo = self._disappoint(opener, error)
                todo += [self._close(session)] if session is not None else []
            failures = self._backoff.failures
            todo += self._plan()
        do(todo)
        if error is not None:
            name = type(error).__name__
            logger.warning("pool %r: connect %d failed: %s", self.name, failures, name)

    def _reset(self, session: Session, reset: Callable[[], State]) -> bool:
        """Make a returned connection fit for the next borrower; False if it cannot be."""
        try:
            with self._hub.limit(RESET_TIMEOUT):
                state = reset()
        except Exception as error:
            # The type only: a driver's message may quote the connection string.
            problem = f"its reset failed: {type(error).__name__}"
        else:
            if state is State.READY:
                return True
            problem = f"it is {state.value}"
        logger.warning("pool %r: dropping a connection, %s", self.name, problem)
        return False

    def _release_parted(self, session: Session, reset: Callable[[], State]) -> None:
        """Take a session back that its borrower has left already."""
        clean = False
        try:
            clean = self._reset(session, reset)
        finally:
            self._give_on(session, None if clean else Why.UNFIT)

    def _give_on(self, session: Session, why_not: str | None) -> None:
        """What has left its borrower goes to the next one; or, for a reason, it is closed."""
        session.is_new = False
        with self._lock:
            del self._held[session]
            now = self._monotonic()
            if why_not is not Why.GONE:  # that was no use
                self._counts.uses.add(now - session.lent_at)
            then = self._retire(session, why_not) if why_not else self._place(session, now)
        then()

    def _end(self, session: Session) -> None:
        """Close a session that counts as closing, in a greenlet of its own; free its slot."""
        try:
            session.end()
        except Exception as error:
            logger.warning(
                "pool %r: closing a connection failed: %s", self.name, type(error).__name__
            )
        except BaseException:  # killed, which does not end the session: another one takes over
            self._hub.spawn(self._end, session)
            raise
        with self._lock:
            self._closing -= 1
            todo = self._plan()
            todo += self._replace(session)
        do(todo)

    def owner_ended(self, checkout: Checkout) -> None:
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
            with self._lock:
                self._counts.reclaims += 1
            self.release(checkout)
            checkout.untie()

    def _await(self, is_so: Callable[[], bool], timeout: float) -> bool:
        """Wait until the pool is in a certain state, at most *timeout* seconds."""
        waiter = self._hub.make_waiter()
        with self._lock:
            self._watchers[waiter] = is_so
            todo = self._notify()
        do(todo)
        try:
            waiter.wait(timeout)
        finally:
            with self._lock:
                came_true = self._watchers.pop(waiter, None) is None
        return came_true
