"""What a greenlet that waits for a connection takes of memory, beyond one that waits for an event.

Of the process's resident set (Linux): a greenlet that waits keeps a piece of the C stack, which
``tracemalloc`` does not see.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gevent.event import Event

from . import pools


def prepare(told: dict[str, Any]) -> Callable[[int], dict[str, float]]:
    connections = told["arguments"]["connections"]
    visit = pools.make(told, connections)
    # Both kinds stay until the end, so that neither gets memory that the other has left. And so
    # does who has the connections: they are taken back from a borrower that is no more.
    kept: list[Any] = [pools.borrow(visit, connections)]

    def run(count: int) -> dict[str, float]:
        before = resident()
        kept.append(pools.wait_in_line(visit, count, Event()))
        between = resident()
        waiting = pools.wait_in_line(visit, count)
        after = resident()
        if not all(waiting):
            raise RuntimeError("some do not wait any more")
        kept.append(waiting)
        return {"bytes": (after - between) - (between - before), "count": count}

    return run


def resident() -> int:
    """Bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
