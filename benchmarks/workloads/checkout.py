"""One checkout and return of a warm pool, without a query."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent

from ..clock import Clock
from . import pools


def prepare(told: dict[str, Any]) -> Callable[[int], dict[str, float]]:
    """``arguments``: how many ``greenlets`` on how many ``connections``.

    Where there are more greenlets than connections, each lets the others run while it has one.
    """
    greenlets, connections = told["arguments"]["greenlets"], told["arguments"]["connections"]
    contended = greenlets > connections
    visit = pools.make(told, connections)

    def use(times: int) -> None:
        take, give_back = visit()
        for _ in range(times):
            connection = take()
            if contended:
                gevent.sleep(0)
            give_back(connection)

    def run(count: int) -> dict[str, float]:
        times = count // greenlets
        with (clock := Clock()):
            users = [gevent.spawn(use, times) for _ in range(greenlets)]
            gevent.joinall(users, raise_error=True)
        return clock.figures(times * greenlets)

    return run
