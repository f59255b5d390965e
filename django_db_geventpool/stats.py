"""What a pool tells of itself: what it has at this moment, and what has happened so far."""

from __future__ import annotations

import operator
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

#: Upper ends of a histogram's buckets, in seconds; there is one more bucket for what took longer.
BOUNDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
SHORTEST = BOUNDS[0]


@dataclass(frozen=True)
class Histogram:
    """How often something took how long."""

    counts: tuple[int, ...] = (0,) * (len(BOUNDS) + 1)
    """For each of BOUNDS, how often it took that long at most, and longer than the one before."""

    total: float = 0.0
    """All of it together, in seconds."""

    @property
    def count(self) -> int:
        return sum(self.counts)

    def __add__(self, other: Histogram) -> Histogram:
        counts = tuple(map(operator.add, self.counts, other.counts))
        return Histogram(counts, self.total + other.total)


@dataclass(frozen=True)
class PoolStats:
    """A pool at one moment. ``idle + in_use + opening + closing + empty = size``."""

    size: int
    """MAX_CONNS."""

    idle: int
    """Connections that are open and lent to nobody."""

    in_use: int
    """Connections that are checked out."""

    opening: int
    """Slots for which a connect is under way."""

    closing: int
    """Slots whose session has been told to end, but has not left the server yet."""

    waiting: int
    """Callers without a connection."""

    checkouts: int = 0
    """How often a connection was lent, since the pool was made. One that the server turned out to
    have ended is lent, too, for a moment."""

    timeouts: int = 0
    """How many callers got a PoolTimeout."""

    failed_connects: int = 0

    reclaims: int = 0
    """How many connections were taken back because their greenlet had ended, or the wrapper was
    dropped, without closing."""

    discards: Mapping[str, int] = field(default_factory=dict, hash=False)
    """How many connections were closed, by the reason: see :class:`Why`."""

    wait_time: Histogram = Histogram()
    """From asking to getting a connection, of those who had to wait and got one. Whoever got one
    that was gone by then counts again when the next one comes."""

    use_time: Histogram = Histogram()
    """From lending a connection to its return, its reset included."""

    connect_time: Histogram = Histogram()
    """From the beginning of a connect to a connection that is set up, of those that succeeded."""

    @property
    def empty(self) -> int:
        """Slots for which nothing is open."""
        return self.size - self.idle - self.in_use - self.opening - self.closing

    @property
    def waits(self) -> int:
        """How many callers had to wait and got a connection."""
        return self.wait_time.count

    @property
    def connects(self) -> int:
        """How many connections were opened."""
        return self.connect_time.count

    def __add__(self, other: PoolStats) -> PoolStats:
        """Of several pools, for example those of all workers, together."""
        names = [each.name for each in fields(self) if each.name != "discards"]
        sums = {name: getattr(self, name) + getattr(other, name) for name in names}
        discards = dict(Counter(self.discards) + Counter(other.discards))
        return PoolStats(discards=discards, **sums)

    def __str__(self) -> str:
        return (
            f"MAX_CONNS {self.size}, {self.in_use} in use, {self.idle} idle, "
            f"{self.opening} opening, {self.closing} closing, {self.waiting} waiting"
        )


class Why:
    """Why a connection was closed."""

    GONE = "gone"
    """The server had ended it while nobody used it."""
    UNFIT = "unfit"
    """It came back broken, in the midst of a statement, or could not be reset."""
    LIFETIME = "lifetime"
    """MAX_LIFETIME was over."""
    IDLE = "idle"
    """MAX_IDLE was over."""
    SURPLUS = "surplus"
    """It came back where REUSE_CONNS were idle already."""
    NEEDED = "needed"
    """Its slot was needed for a connection with other settings."""
    CLOSED = "closed"
    """The pool was closed, or told to drop what was idle."""


REASONS = tuple(value for name, value in vars(Why).items() if name.isupper())


class Times:
    """A histogram that grows. Guarded by the pool's lock."""

    __slots__ = ("_counts", "_total")

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS) + 1)
        self._total = 0.0

    def add(self, seconds: float) -> None:
        # Most are short: a checkout without a wait, a read by a key.
        self._counts[0 if seconds <= SHORTEST else bisect_left(BOUNDS, seconds)] += 1
        self._total += seconds

    def histogram(self) -> Histogram:
        return Histogram(tuple(self._counts), self._total)


class Counts:
    """What has happened in a pool. Guarded by its lock."""

    __slots__ = (
        "connects",
        "discards",
        "failed_connects",
        "reclaims",
        "timeouts",
        "uses",
        "waits",
    )

    def __init__(self) -> None:
        self.timeouts = self.failed_connects = self.reclaims = 0
        self.discards: Counter[str] = Counter()
        self.waits, self.uses, self.connects = Times(), Times(), Times()
