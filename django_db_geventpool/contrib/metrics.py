"""What is told of a pool to Prometheus and OpenTelemetry, and by which name.

The names are those of OpenTelemetry's semantic conventions for database clients; what they do not
know has the name of this package:
https://opentelemetry.io/docs/specs/semconv/database/database-metrics/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from ..config import PoolConfig
from ..stats import REASONS, Histogram, PoolStats

#: The attribute that says of which pool something is told: its alias.
POOL_NAME = "db.client.connection.pool.name"
_STATE = "db.client.connection.state"
_CONNECTION = "db.client.connection."
_OWN = "django_db_geventpool."


@dataclass(frozen=True)
class Pools:
    """The pools of one name in one process, or in several ones."""

    stats: PoolStats
    reuse_conns: int
    min_conns: int

    @classmethod
    def of(cls, config: PoolConfig, stats: PoolStats) -> Pools:
        return cls(stats, config.reuse_conns, config.min_conns)

    def __add__(self, other: Pools) -> Pools:
        return Pools(
            self.stats + other.stats,
            self.reuse_conns + other.reuse_conns,
            self.min_conns + other.min_conns,
        )

    def ended(self) -> Pools:
        """What is left of it after its process has ended: what has happened, not what is."""
        past = replace(self.stats, size=0, idle=0, in_use=0, opening=0, closing=0, waiting=0)
        return Pools(past, 0, 0)


class Value(NamedTuple):
    """A number, and what it is of: by attribute."""

    value: float
    attributes: Mapping[str, str] = {}


@dataclass(frozen=True)
class Metric:
    """One of them; ``read`` takes it off the pools of one name."""

    name: str
    unit: str
    help: str
    read: Callable[[Pools], Any]


def _one(read: Callable[[Pools], float]) -> Callable[[Pools], list[Value]]:
    return lambda pools: [Value(read(pools))]


#: What is at the moment; ``read`` gives values.
GAUGES = (
    Metric(
        f"{_CONNECTION}count",
        "{connection}",
        "Connections that are lent (used), or open and lent to nobody (idle).",
        lambda pools: [
            Value(pools.stats.idle, {_STATE: "idle"}),
            Value(pools.stats.in_use, {_STATE: "used"}),
        ],
    ),
    Metric(
        f"{_CONNECTION}max",
        "{connection}",
        "The most connections that may be open: MAX_CONNS.",
        _one(lambda pools: pools.stats.size),
    ),
    Metric(
        f"{_CONNECTION}idle.max",
        "{connection}",
        "The most connections that stay open while nobody uses them: REUSE_CONNS.",
        _one(lambda pools: pools.reuse_conns),
    ),
    Metric(
        f"{_CONNECTION}idle.min",
        "{connection}",
        "How many, once opened, stay open even if nobody has used them for long: MIN_CONNS.",
        _one(lambda pools: pools.min_conns),
    ),
    Metric(
        f"{_CONNECTION}pending_requests",
        "{request}",
        "Callers that wait for a connection.",
        _one(lambda pools: pools.stats.waiting),
    ),
    Metric(
        f"{_OWN}opening",
        "{connection}",
        "Connects that are under way.",
        _one(lambda pools: pools.stats.opening),
    ),
    Metric(
        f"{_OWN}closing",
        "{connection}",
        "Sessions that have been told to end, but have not left the server yet.",
        _one(lambda pools: pools.stats.closing),
    ),
)

#: What has happened so far; ``read`` gives values.
COUNTERS = (
    Metric(
        f"{_OWN}checkouts",
        "{connection}",
        "How often a connection was lent.",
        _one(lambda pools: pools.stats.checkouts),
    ),
    Metric(
        f"{_CONNECTION}timeouts",
        "{timeout}",
        "Callers that got a PoolTimeout instead of a connection.",
        _one(lambda pools: pools.stats.timeouts),
    ),
    Metric(
        f"{_OWN}failed_connects",
        "{connect}",
        "Connects that failed.",
        _one(lambda pools: pools.stats.failed_connects),
    ),
    Metric(
        f"{_OWN}discards",
        "{connection}",
        "Connections that were closed, by the reason.",
        lambda pools: [
            Value(pools.stats.discards.get(reason, 0), {"reason": reason}) for reason in REASONS
        ],
    ),
    Metric(
        f"{_OWN}reclaims",
        "{connection}",
        "Connections taken back because their greenlet had ended without closing.",
        _one(lambda pools: pools.stats.reclaims),
    ),
)


def _wait_time(pools: Pools) -> Histogram:
    """The conventions count whoever got a connection; the pool times those who had to wait."""
    waits = pools.stats.wait_time
    at_once = max(0, pools.stats.checkouts - waits.count)
    return replace(waits, counts=(waits.counts[0] + at_once, *waits.counts[1:]))


#: How long something took, in seconds; ``read`` gives a Histogram.
HISTOGRAMS = (
    Metric(
        f"{_CONNECTION}wait_time",
        "s",
        "The time that it took to get a connection from the pool, 0 if one was there.",
        _wait_time,
    ),
    Metric(
        f"{_CONNECTION}use_time",
        "s",
        "The time from lending a connection to its return.",
        lambda pools: pools.stats.use_time,
    ),
    Metric(
        f"{_CONNECTION}create_time",
        "s",
        "The time that it took to open a connection.",
        lambda pools: pools.stats.connect_time,
    ),
)
