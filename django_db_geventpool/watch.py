"""What a pool warns of: connections that are held for long, and waits for one that take long."""

from __future__ import annotations

import logging
import math
import traceback
import weakref
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from django.core.signals import request_started

from .hubs import Hub, OwnerReference
from .session import Session

if TYPE_CHECKING:
    from .pool import Pool

logger = logging.getLogger("django_db_geventpool")

#: A wait of so many seconds is worth a warning; one in so many seconds is enough.
LONG_WAIT, WARN_EVERY = 1.0, 60.0

#: The request that a greenlet or thread serves: method and path, without the query.
request: ContextVar[str] = ContextVar("request", default="")

#: What is lent, to whom, and for how long, in seconds.
Loan = tuple[Session, OwnerReference, float]


@dataclass(frozen=True)
class Holder:
    """Who holds a connection."""

    seconds: float
    """For how long by now."""

    name: str
    """Of the greenlet or thread."""

    request: str
    """``GET /path/``, if it serves a request. Known where LEAK_THRESHOLD is set for some pool, and
    where contrib.monitor is in use."""

    stack: str
    """Where it is now, as a traceback shows it; empty if LEAK_THRESHOLD is not set."""

    @property
    def who(self) -> str:
        return f"{self.name} ({self.request})" if self.request else self.name


class _Watch:
    """Looks at a pool when it is time to: by one timer, which does not keep the pool alive."""

    def __init__(self, pool: Pool, hub: Hub) -> None:
        self._pool = weakref.ref(pool)
        self._hub = hub
        self._is_set = False

    def _set(self, seconds: float) -> None:
        """Look after so many seconds. Never switches. Two threads may both do it, so that it looks
        twice."""
        self._is_set = True
        try:
            self._hub.call_later(seconds, self._rang)
        except RuntimeError:  # no thread to be had; the next occasion tries again
            self._is_set = False

    def _rang(self) -> None:
        """In the hub, where no kill can strike."""
        self._is_set = False
        pool = self._pool()
        if pool is not None:
            self._hub.spawn(self._look, pool)  # a logging handler may wait

    def _look(self, pool: Pool) -> None:
        raise NotImplementedError


class LeakWatch(_Watch):
    """Warns once of each loan that takes longer than LEAK_THRESHOLD. Takes nothing away."""

    def __init__(self, pool: Pool, threshold: float | None, hub: Hub) -> None:
        super().__init__(pool, hub)
        self.is_on = threshold is not None
        self._threshold = math.inf if threshold is None else threshold
        if self.is_on:
            remember_requests()

    def lent(self) -> None:
        """A connection has been lent: look after it in time."""
        if not self._is_set:
            self._set(self._threshold)

    def holders(self, stacks: int | None = None) -> list[tuple[Session, Holder]]:
        """Whoever has held a connection for longest comes first; so many of them with a stack."""
        pool = self._pool()
        loans = [] if pool is None else pool.loans()
        loans.sort(key=lambda loan: -loan[2])
        most = len(loans) if stacks is None else stacks
        return [
            (session, self._holder(owner, seconds, shows_where=place < most))
            for place, (session, owner, seconds) in enumerate(loans)
        ]

    def _holder(self, reference: OwnerReference, seconds: float, shows_where: bool) -> Holder:
        owner = self._hub.owner(reference)
        frame = owner.frame if shows_where and self.is_on else None
        return Holder(
            seconds=seconds,
            name=owner.name,
            request="" if owner.context is None else owner.context.get(request, ""),
            stack="" if frame is None else "".join(traceback.format_stack(frame)),
        )

    def _look(self, pool: Pool) -> None:
        to_come = []
        for session, holder in self.holders():
            if holder.seconds < self._threshold:
                to_come.append(self._threshold - holder.seconds)
            elif session.told_of != session.lent_at:
                session.told_of = session.lent_at
                logger.warning(
                    "pool %r: %s has held a connection for %.1f s (LEAK_THRESHOLD is %s s). "
                    "It is here now:\n%s",
                    *(pool.name, holder.who, holder.seconds, self._threshold, holder.stack),
                )
        if to_come and not self._is_set:
            self._set(min(to_come))


class ExhaustionWatch(_Watch):
    """Warns of a pool that lets callers wait, while it does: in numbers, and not too often."""

    def __init__(self, pool: Pool, hub: Hub) -> None:
        super().__init__(pool, hub)
        self._quiet_until = -math.inf

    def waits(self) -> None:
        """Somebody begins to wait: look after it in time. Never switches."""
        if not self._is_set:
            self._set(LONG_WAIT)

    def _look(self, pool: Pool) -> None:
        waited = pool.longest_wait()
        if waited is None:
            return
        now = self._hub.monotonic()
        rest = max(LONG_WAIT - waited, self._quiet_until - now)
        if rest <= 0:
            rest = WARN_EVERY
            self._quiet_until = now + rest
            stats = pool.stats()
            problem = "lets callers wait" if stats.empty else "is exhausted"
            logger.warning(
                "pool %r %s: somebody has been waiting %.1f s for a connection (%s)",
                *(pool.name, problem, waited, stats),
            )
        if not self._is_set:
            self._set(rest)


def remember_requests() -> None:
    """From now on, which request each greenlet or thread serves."""
    request_started.connect(_remember, dispatch_uid="django_db_geventpool.watch")


def _remember(
    environ: dict[str, Any] | None = None, scope: dict[str, Any] | None = None, **_: Any
) -> None:
    if environ is not None:  # WSGI's
        method, path = environ.get("REQUEST_METHOD"), environ.get("PATH_INFO")
    else:  # ASGI's
        method, path = (scope or {}).get("method"), (scope or {}).get("path")
    request.set(f"{method} {quote(path or '')}")  # quoted, so that it stays in its line of the log
