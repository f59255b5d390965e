"""When the time of a connection is over: MAX_LIFETIME and MAX_IDLE."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

from .config import PoolConfig
from .hubs import Hub
from .session import Session, do_nothing

#: A connection lives for MAX_LIFETIME less up to this part of it, so that those that were opened
#: together are not replaced together.
JITTER = 0.1


class Lifetime:
    """The time limits of one pool's sessions, and its timer for the next that is due."""

    def __init__(self, config: PoolConfig, hub: Hub) -> None:
        self._config = config
        self._hub = hub
        self._max_idle = math.inf if config.max_idle is None else config.max_idle
        self._next_due = math.inf  # guarded by the pool's lock
        self._cancel_timer: Callable[[], object] = do_nothing

    def begin(self, session: Session) -> None:
        if self._config.max_lifetime is not None:
            lifetime = self._config.max_lifetime * random.uniform(1 - JITTER, 1)
            session.expires_at = self._hub.monotonic() + lifetime

    def end(self, session: Session, *, surplus: bool) -> float:
        """When an idle session is due to be closed; surplus ones also when they rested too long."""
        if surplus:
            return min(session.expires_at, session.idle_since + self._max_idle)
        return session.expires_at

    def will_ring_for(self, session: Session) -> bool:
        """Whether the timer rings early enough for *session*, whose rest begins."""
        due = self._next_due
        return due <= session.expires_at and due <= session.idle_since + self._max_idle

    def schedule(self, due: float, tidy: Callable[[], object]) -> Callable[[], object]:
        """What to do, once the lock is free, so that *tidy* is called when *due* has come."""
        if due >= self._next_due:
            return do_nothing
        self._next_due = due

        def set_timer() -> None:
            self.stop()
            delay = max(0.0, due - self._hub.monotonic())
            try:
                self._cancel_timer = self._hub.call_later(delay, tidy)
            except RuntimeError:  # no thread to be had; whatever goes idle next tries again
                self.rang()

        return set_timer

    def rang(self) -> None:
        self._next_due = math.inf

    def stop(self) -> None:
        self._cancel_timer()
        self._cancel_timer = do_nothing
