"""What one process tells of its pools, as what JSON can say, and what several of them add up to."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Union

from ... import registry
from ...pool import Pool
from ...stats import Histogram, PoolStats
from ..metrics import Pools

Snapshot = Mapping[str, Any]
Row = tuple[Union[int, float], ...]

#: Seconds from one sample to the next, and how many are kept: five minutes.
INTERVAL, SAMPLES = 1.0, 300
SPAN = INTERVAL * SAMPLES
#: Of so many holders, those who have held a connection for longest, it is told where they are: that
#: costs about a millisecond for each.
STACKS = 10
#: What a sample consists of: Unix time in seconds, what is then, and what has happened until then.
COLUMNS = (
    *("at", "in_use", "idle", "opening", "closing", "waiting"),
    *("checkouts", "waits", "timeouts", "failed_connects"),
)


class Recorder:
    """Takes this process's snapshots, and keeps the samples of the last minutes."""

    def __init__(self) -> None:
        self._started = time.time()
        #: Of this process, as no other one is called.
        self.name = f"{socket.gethostname()}-{os.getpid()}-{self._started:.6f}"
        #: Set by a process that comes to its end in good order.
        self.is_last = False
        self._samples: dict[str, deque[Row]] = {}

    def take(self) -> Snapshot:
        now = time.time()
        return {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "program": _program(),
            "started": round(self._started, 3),
            "at": round(now, 3),
            "is_last": self.is_last,
            "pools": {pool.name: self._pool(pool, now) for pool in registry.pools()},
        }

    def _pool(self, pool: Pool, now: float) -> dict[str, Any]:
        stats = pool.stats()
        samples = self._samples.setdefault(pool.name, deque(maxlen=SAMPLES))
        # In between, for somebody who has just asked, the last one stays.
        if not samples or now - samples[-1][0] >= INTERVAL / 2:
            row = (getattr(stats, name) for name in COLUMNS[1:])
            samples.append((round(now, 2), *row))
        return {
            **_told(Pools.of(pool.config, stats)),
            "hub": pool.hub.NAME,
            "release": pool.config.release,
            "leak_threshold": pool.config.leak_threshold,
            "holders": [asdict(holder) for holder in pool.holders(stacks=STACKS)],
            "samples": list(samples),
        }


def _program() -> str:
    """Its name; not its arguments, which may be secret."""
    path = Path(next(iter(sys.argv), ""))
    return path.parent.name if path.name == "__main__.py" else path.name


def pools_of(snapshot: Snapshot) -> dict[str, Pools]:
    """By the name of the pool."""
    return read_pools(snapshot["pools"])


def ended(snapshot: Snapshot, found_at: float) -> Snapshot:
    """What is left of a process after its end: what has happened, and how the last minutes went.

    :param found_at: when it was found to have ended.
    """
    pools = {
        name: {
            **_told(each.ended()),
            "size": each.stats.size,
            "samples": snapshot["pools"][name]["samples"],
        }
        for name, each in pools_of(snapshot).items()
    }
    return {**snapshot, "found_at": found_at, "pools": pools}


def add_up(all_of_them: Iterable[Mapping[str, Pools]]) -> dict[str, Pools]:
    """By the name of the pool, those of several processes."""
    sums: dict[str, Pools] = {}
    for each in all_of_them:
        for name, pools in each.items():
            sums[name] = sums[name] + pools if name in sums else pools
    return sums


def as_json(pools: Mapping[str, Pools]) -> dict[str, Any]:
    """What :func:`read_pools` reads."""
    return {name: _told(each) for name, each in pools.items()}


def read_pools(pools: Mapping[str, Any]) -> dict[str, Pools]:
    return {name: _read(pool) for name, pool in pools.items()}


def _told(pools: Pools) -> dict[str, Any]:
    return {
        "reuse_conns": pools.reuse_conns,
        "min_conns": pools.min_conns,
        "stats": asdict(pools.stats),
    }


def _read(pool: Mapping[str, Any]) -> Pools:
    stats: dict[str, Any] = {
        name: Histogram(tuple(value["counts"]), value["total"]) if name.endswith("_time") else value
        for name, value in pool["stats"].items()
    }
    return Pools(PoolStats(**stats), pool["reuse_conns"], pool["min_conns"])
