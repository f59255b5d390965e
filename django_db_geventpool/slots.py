"""The accounting of a pool: who has which slot, who waits, and what follows from a change.

``pool.py`` says what must hold. Every method here is called with the lock held; none waits, logs or
wakes anybody: what is left to do as soon as the lock is free is returned.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from itertools import islice

from .backoff import Backoff
from .checkout import Checkout
from .config import PoolConfig
from .errors import PoolError, copy_of
from .hubs import Hub, Waiter
from .lifetime import Lifetime
from .session import Opener, Session, do_nothing
from .stats import Counts, PoolStats, Why

Then = Callable[[], object]  # what to do as soon as the lock is free


class Slots:
    """MAX_CONNS slots and a queue. A pool is one that can also open and end sessions."""

    def __init__(self, name: str, config: PoolConfig, hub: Hub) -> None:
        self.name = name
        self.config = config
        self._hub = hub
        self._monotonic = hub.monotonic
        self._idle: list[Session] = []  # last in, first out: the warmest one is lent
        self._held: dict[Session, Checkout] = {}  # lent, or made fit for the next one to hold it
        self._opening = 0
        self._closing = 0
        self._waiting: OrderedDict[Checkout, None] = OrderedDict()  # first come, first served
        self._watchers: dict[Waiter, Callable[[], bool]] = {}  # who waits for a state of the pool
        self._backoff = Backoff(hub.monotonic)
        self._lifetime = Lifetime(config, hub)
        self._counts = Counts()
        self._closed = False
        self._generation = 0  # sessions of an earlier one are ended when they come back

    # -- what a pool adds: called without the lock

    def _open(self, opener: Opener, generation: int, delay: float) -> None:
        raise NotImplementedError

    def _end(self, session: Session) -> None:
        raise NotImplementedError

    def tidy(self) -> None:
        raise NotImplementedError

    # -- the steps

    def _used(self) -> int:
        return len(self._idle) + len(self._held) + self._opening + self._closing

    def _all_are_held(self) -> bool:
        """A slot that is lent changes its state by itself only: there is nothing to plan."""
        return len(self._held) == self.config.max_conns

    def _lend_idle(self, checkout: Checkout) -> Session | None:
        """Of those of its kind the one that came back last; None if there is none."""
        idle, opener = self._idle, checkout.opener
        place = len(idle) - 1
        while place >= 0 and idle[place].opener is not opener:
            place -= 1
        if place < 0:
            return None
        session = idle[place]
        self._lend(session, checkout, self._monotonic())
        del idle[place]  # not by pop(), after which a signal handler may raise
        return session

    def _lend(self, session: Session, checkout: Checkout, now: float) -> None:
        checkout.session = session
        session.lent_at = now
        self._held[session] = checkout

    def _place(self, session: Session, now: float) -> Then:
        """A session in good order: to a waiter, among the idle, or out."""
        if session.generation != self._generation:
            return self._retire(session, Why.CLOSED)
        if session.expires_at <= now:
            return self._retire(session, Why.LIFETIME)
        if self._waiting:
            checkout = self._next_waiter(session.opener)
            if checkout is None:
                return self._retire(session, Why.NEEDED)
            self._counts.waits.add(now - checkout.asked_at)
            self._lend(session, checkout, now)
            assert checkout.waiter is not None
            return checkout.waiter.wake
        if len(self._idle) >= self.config.reuse_conns:
            return self._retire(session, Why.SURPLUS)
        session.is_new, session.idle_since = False, now
        self._idle.append(session)
        return do_nothing if self._lifetime.will_ring_for(session) else self._rest(session)

    def _retire(self, session: Session, why: str) -> Then:
        self._counts.discards[why] += 1
        return self._close(session)

    def _close(self, session: Session) -> Then:
        self._closing += 1
        return partial(self._hub.spawn, self._end, session)

    def _retire_idle(self) -> list[Then]:
        sessions, self._idle = self._idle, []
        return [self._retire(session, Why.CLOSED) for session in sessions]

    def _next_waiter(self, opener: Opener) -> Checkout | None:
        """Out of the queue comes the first waiter, if it waits for this kind of connection.

        Among those for whom connections are being opened it may be a later one.
        """
        for checkout in islice(self._waiting, self._opening + 1):
            if checkout.opener is opener:
                del self._waiting[checkout]
                return checkout
        return None

    def _disappoint(self, opener: Opener, error: BaseException | None) -> list[Then]:
        """A connect failed: whoever waits longest for it is told, the others go on waiting.

        Unless there is nothing to wait for, no connection held or on its way: then all are told.
        """
        if not isinstance(error, Exception):
            error = PoolError(f"pool {self.name!r}: opening a connection was interrupted")
        told = [self._next_waiter(opener)]
        if not self._held and not self._opening:
            told += [checkout for checkout in self._waiting if checkout.opener is opener]
        todo: list[Then] = []
        for checkout in told:
            if checkout is not None:
                self._waiting.pop(checkout, None)
                checkout.error = error if not todo else copy_of(error)
                assert checkout.waiter is not None
                todo.append(checkout.waiter.wake)
        return todo

    def _plan(self) -> list[Then]:
        """Whatever lets the waiters get on: open in empty slots, clear slots of other kinds."""
        todo: list[Then] = []
        for checkout in islice(self._waiting, self._opening, None):
            if not self._may_open():
                break
            todo.append(self._begin(checkout.opener))
        while (
            self._idle
            and self._used() >= self.config.max_conns
            and self._opening + self._closing < len(self._waiting)
        ):
            todo.append(self._retire(self._idle.pop(0), Why.NEEDED))
        return todo + self._notify()

    def _may_open(self) -> bool:
        """Into an empty slot; while connects fail, one at a time."""
        is_full = self._used() >= self.config.max_conns
        return not (is_full or (self._backoff.failures and self._opening))

    def _begin(self, opener: Opener) -> Then:
        """Take an empty slot, and open a connection in it."""
        self._opening += 1
        delay = self._backoff.delay()
        return partial(self._hub.spawn, self._open, opener, self._generation, delay)

    def _replace(self, ended: Session) -> list[Then]:
        """Another connection where there would be fewer than MIN_CONNS. It is tried once."""
        enough = self._used() - self._closing >= self.config.min_conns
        if enough or self._closed or not self._may_open():
            return []
        return [self._begin(ended.opener)]

    def _due(self, session: Session) -> float:
        surplus = self._used() - self._closing > self.config.min_conns
        return self._lifetime.end(session, surplus=surplus)

    def _rest(self, session: Session) -> Then:
        """What sees to it that an idle session is closed when its time is over."""
        # Weakly: the timer is not to keep a pool alive that nobody uses any more.
        return self._lifetime.schedule(self._due(session), partial(_tidy, weakref.ref(self)))

    def _notify(self) -> list[Then]:
        """Wake those for whom the pool is now in the state that they wait for."""
        if not self._watchers:
            return []
        ready = [waiter for waiter, is_so in self._watchers.items() if is_so()]
        for waiter in ready:
            del self._watchers[waiter]
        return [waiter.wake for waiter in ready]

    def _stats(self) -> PoolStats:
        counts = self._counts
        uses = counts.uses.histogram()
        return PoolStats(
            size=self.config.max_conns,
            idle=len(self._idle),
            in_use=len(self._held),
            opening=self._opening,
            closing=self._closing,
            waiting=len(self._waiting),
            checkouts=uses.count + len(self._held) + counts.discards[Why.GONE],
            timeouts=counts.timeouts,
            failed_connects=counts.failed_connects,
            reclaims=counts.reclaims,
            discards=dict(counts.discards),
            wait_time=counts.waits.histogram(),
            use_time=uses,
            connect_time=counts.connects.histogram(),
        )


def _tidy(reference: weakref.ref[Slots]) -> None:
    slots = reference()
    if slots is not None:
        slots.tidy()


def do(todo: list[Then]) -> None:
    """What the steps have left to do; the lock is free."""
    for then in todo:
        then()
