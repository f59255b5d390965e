"""What it costs to hand connections on while a great many wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent

from ..clock import Clock
from . import pools


def prepare(told: dict[str, Any]) -> Callable[[int], dict[str, float]]:
    """``arguments``: how many ``connections``, and how many ``waiters`` at a time."""
    waiters, connections = told["arguments"]["waiters"], told["arguments"]["connections"]
    visit = pools.make(told, connections)

    def run(count: int) -> dict[str, float]:
        clock = Clock()
        for _ in range(max(1, count // waiters)):
            held = pools.borrow(visit, connections)
            waiting = pools.wait_in_line(visit, waiters)
            with clock:
                for give_back in held:
                    give_back()
                gevent.joinall(waiting, raise_error=True)
        return clock.figures(max(1, count // waiters) * waiters)

    return run
