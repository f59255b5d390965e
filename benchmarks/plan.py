"""The races: who runs against whom, over what, and the bars that are set for us."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

#: Runs pgbench instead of a worker.
PGBENCH = "pgbench"


@dataclass(frozen=True)
class Bar:
    """What one contender has to reach, against another or by itself."""

    contender: str
    measure: str
    limit: float
    against: str = ""
    """The contender whose figure is 1; none: the figure itself is judged."""
    least: bool = False
    """Whether *limit* is the least; else it is the most."""
    choice: str = ""
    """Of the bars of a race with the same one, any one is enough."""


@dataclass(frozen=True)
class Race:
    """Contenders that take turns."""

    name: str
    title: str
    workload: str
    """The module of ``workloads``."""
    contenders: tuple[str, ...]
    """Names of ``peers``, each with ``:KEY`` after it to run with ``variants[KEY]``."""
    measures: tuple[str, ...]
    """Of ``figures.MEASURES``: the lines of a contender in the table."""
    count: int
    """Operations of a run."""
    quick: int
    reference: str = ""
    """The contender that all are compared with in the table."""
    bars: tuple[Bar, ...] = ()
    size: int = 20
    """Connections of a pool."""
    arguments: Mapping[str, int] = field(default_factory=dict)
    variants: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    fresh: bool = False
    """Whether each run has a process of its own, which has not served anything yet."""
    slow: bool = False
    """Whether a third of the rounds has to be enough."""
    gate: float | None = None
    """What CI lets its ratio be, on a busy machine and in few rounds; None: CI does not run it."""
    optional: frozenset[str] = frozenset()
    """Contenders who may be absent: their option is not there (yet), or too small a server."""


def peer_of(contender: str) -> str:
    return contender.partition(":")[0]


def gated(race: Race) -> Race:
    """With the gate for a bar, and only those whom a bar names."""
    named = {name for bar in race.bars for name in (bar.contender, bar.against)}
    contenders = tuple(each for each in race.contenders if each in named)
    bars = tuple(replace(bar, limit=race.gate or bar.limit) for bar in race.bars)
    return replace(race, contenders=contenders, bars=bars)


_REQUESTS = {"persistent": {"long": 1}, "handed": {"handed": 1}}

RACES = (
    Race(
        "wait-psycopg3",
        "SELECT 1 on 20 connections, psycopg 3",
        "wait",
        ("psycopg3", "ours-psycopg3", PGBENCH),
        ("cpu", "rate"),
        count=8000,
        quick=3000,
        reference="psycopg3",
        bars=(Bar("ours-psycopg3", "cpu", 0.70, "psycopg3"),),
        gate=0.9,
    ),
    Race(
        "wait-psycopg2",
        "SELECT 1 on 20 connections, psycopg2",
        "wait",
        ("psycogreen", "ours-psycopg2", PGBENCH),
        ("cpu", "rate"),
        count=20000,
        quick=6000,
        reference="psycogreen",
        bars=(Bar("ours-psycopg2", "cpu", 0.90, "psycogreen"),),
        gate=1.2,
    ),
    Race(
        "checkout-alone",
        "checkout and return, 1 greenlet",
        "checkout",
        ("psycopg-pool", "ours-psycopg3", "sqlalchemy", "bare"),
        ("cpu",),
        count=40000,
        quick=10000,
        reference="psycopg-pool",
        bars=(Bar("ours-psycopg3", "cpu", 0.5, "psycopg-pool"),),
        size=4,
        arguments={"greenlets": 1, "connections": 4},
        gate=1.3,
    ),
    Race(
        "checkout-contended",
        "checkout and return, 50 greenlets on 4 connections",
        "checkout",
        ("psycopg-pool", "ours-psycopg3", "sqlalchemy", "bare"),
        ("cpu",),
        count=20000,
        quick=6000,
        reference="psycopg-pool",
        bars=(Bar("ours-psycopg3", "cpu", 0.3, "psycopg-pool"),),
        size=4,
        arguments={"greenlets": 50, "connections": 4},
        gate=1.0,
    ),
    Race(
        "handoff",
        "one handoff of 4 connections",
        "handoff",
        ("ours-psycopg3:few", "ours-psycopg3:many", "psycopg-pool:many", "bare:many"),
        ("cpu",),
        count=20000,
        quick=6000,
        reference="ours-psycopg3:few",
        bars=(Bar("ours-psycopg3:many", "cpu", 1.5, "ours-psycopg3:few"),),
        size=4,
        arguments={"connections": 4},
        variants={"few": {"waiters": 100}, "many": {"waiters": 10_000}},
    ),
    Race(
        "memory",
        "one of 10,000 that wait, beyond a greenlet that waits for an event",
        "memory",
        ("ours-psycopg3", "psycopg-pool", "sqlalchemy", "bare"),
        ("memory",),
        count=10_000,
        quick=10_000,
        bars=(Bar("ours-psycopg3", "memory", 2048),),
        size=4,
        arguments={"connections": 4},
        fresh=True,
        slow=True,
    ),
    Race(
        "request-psycopg3",
        "one request, 20 at a time, psycopg 3",
        "request",
        (
            *("persistent-psycopg3:persistent", "ours-psycopg3", "public-psycopg3"),
            *("django-pool", "connection-pool", "real-pool", "handed-psycopg3:handed"),
        ),
        ("cpu",),
        count=1600,
        quick=600,
        reference="persistent-psycopg3:persistent",
        bars=(Bar("ours-psycopg3", "cpu", 1.05, "persistent-psycopg3:persistent"),),
        variants=_REQUESTS,
        gate=2.0,
    ),
    Race(
        "request-psycopg2",
        "one request, 20 at a time, psycopg2",
        "request",
        (
            *("persistent-psycopg2:persistent", "ours-psycopg2", "public-psycopg2"),
            "handed-psycopg2:handed",
        ),
        ("cpu",),
        count=1600,
        quick=600,
        reference="persistent-psycopg2:persistent",
        bars=(Bar("ours-psycopg2", "cpu", 1.15, "persistent-psycopg2:persistent"),),
        variants=_REQUESTS,
        gate=2.5,
    ),
    Race(
        "cold-psycopg3",
        "500 requests at once to a process without a connection, psycopg 3",
        "cold",
        ("no-pool-psycopg3", "ours-psycopg3", "public-psycopg3", "django-pool"),
        ("wall", "cpu"),
        count=500,
        quick=500,
        reference="no-pool-psycopg3",
        optional=frozenset({"no-pool-psycopg3", "ours-psycopg3", "public-psycopg3", "django-pool"}),
        bars=(Bar("ours-psycopg3", "wall", 0.5, "no-pool-psycopg3"),),
        arguments={"sessions": 520},
        fresh=True,
        slow=True,
    ),
    Race(
        "cold-psycopg2",
        "500 requests at once to a process without a connection, psycopg2",
        "cold",
        ("no-pool-psycopg2", "ours-psycopg2", "public-psycopg2"),
        ("wall", "cpu"),
        count=500,
        quick=500,
        reference="no-pool-psycopg2",
        optional=frozenset({"no-pool-psycopg2", "ours-psycopg2", "public-psycopg2"}),
        bars=(Bar("ours-psycopg2", "wall", 0.5, "no-pool-psycopg2"),),
        arguments={"sessions": 520},
        fresh=True,
        slow=True,
    ),
    Race(
        "mixed",
        "2 reads, 50 ms of other waiting after each; 200 requests on 4 connections, psycopg 3",
        "mixed",
        (
            *("public-psycopg3", "ours-psycopg3", "ours-transaction"),
            *("django-pool", "connection-pool", "real-pool", "handed-psycopg3:lent"),
        ),
        ("rate", "cpu"),
        count=200,
        quick=200,
        reference="public-psycopg3",
        bars=(
            Bar("ours-transaction", "rate", 20, "public-psycopg3", least=True),
            Bar("ours-transaction", "rate", 20, "django-pool", least=True),
            Bar("ours-transaction", "rate", 1.3, "real-pool", least=True, choice="real-pool"),
            Bar("ours-transaction", "cpu", 0.75, "real-pool", choice="real-pool"),
        ),
        size=4,
        slow=True,
        variants={"lent": {"handed": 4}},
        optional=frozenset({"ours-transaction"}),
    ),
)

#: Those of which a profile is taken.
PROFILED = tuple(race for race in RACES if race.workload == "request")
