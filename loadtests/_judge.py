"""Figures in, criteria out: what was measured, what was allowed, and whether that is a pass."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

#: Milliseconds between two samples, at most and in the median: what lasts longer is seen.
MAX_MEDIAN_MS = 100.0
#: Fewer samples per second than this, or in all, leave too much unseen.
MIN_SAMPLES_PER_SECOND = 5
MIN_SAMPLES = 20


@dataclass(frozen=True)
class Limits:
    """What is allowed."""

    max_conns: int
    reuse_conns: int
    max_failure_ratio: float = 0.01
    max_p95: float = 2000.0
    """Milliseconds."""


@dataclass(frozen=True)
class Sessions:
    """The server's sessions of one worker process, by state."""

    total: int = 0
    idle: int = 0
    active: int = 0
    in_transaction: int = 0
    """Idle in transaction, aborted ones included."""


@dataclass(frozen=True)
class Moment:
    """The highest counts of one second, over all processes."""

    at: int
    """Unix time."""
    total: int
    active: int
    in_transaction: int
    most: int
    """The sessions of the process that had the most."""
    clients: int = 0
    """Of PgBouncer, where there is one."""


@dataclass(frozen=True)
class Sampling:
    """What the sampler saw; the keys are application names, one for each worker process."""

    samples: int = 0
    median_ms: float = 0.0
    longest_gap_ms: float = 0.0
    peak: dict[str, Sessions] = field(default_factory=dict)
    """The highest count of each state, not necessarily of the same moment."""
    last: dict[str, Sessions] = field(default_factory=dict)
    """The last sample, after the cool-down."""
    error: str | None = None
    """Why the sampling ended early."""
    series: list[Moment] = field(default_factory=list)
    """One for each second, where it was asked for."""
    outages: list[tuple[float, float]] = field(default_factory=list)
    """From when to when the server did not answer, in Unix time, where that was expected."""


@dataclass(frozen=True)
class Load:
    """What Locust measured."""

    seconds: float
    requests: int
    failure_ratio: float
    p95_ms: float
    errors: int = 0
    """Exceptions raised by the suite itself."""


@dataclass(frozen=True)
class Criterion:
    name: str
    measured: str
    limit: str
    ok: bool


def judge(load: Load, sampling: Sampling, limits: Limits) -> list[Criterion]:
    """Every criterion, in the order in which they are read."""
    return [
        *pool(sampling, limits),
        *_load(load, limits),
        *sampled(sampling, load.seconds),
    ]


def pool(sampling: Sampling, limits: Limits) -> Iterable[Criterion]:
    peak = max((sessions.total for sessions in sampling.peak.values()), default=0)
    kept = max((sessions.total for sessions in sampling.last.values()), default=0)
    busy = sum(sessions.total - sessions.idle for sessions in sampling.last.values())
    yield at_most("peak sessions per process", peak, limits.max_conns)
    yield at_most("sessions per process after cool-down", kept, limits.reuse_conns)
    yield at_most("left in a transaction or busy", busy, 0)
    # None at all: the site works on another database than the one that was watched.
    yield at_least("worker processes seen", len(sampling.peak), 1)


def _load(load: Load, limits: Limits) -> Iterable[Criterion]:
    yield at_least("requests made", load.requests, 1)
    yield at_most("failed requests", load.failure_ratio * 100, limits.max_failure_ratio * 100, "%")
    yield at_most("p95 response time", load.p95_ms, limits.max_p95, "ms")
    yield at_most("errors in the suite itself", load.errors, 0)


def sampled(sampling: Sampling, seconds: float) -> Iterable[Criterion]:
    fewest = max(MIN_SAMPLES, round(seconds * MIN_SAMPLES_PER_SECOND))
    yield at_least("samples taken", sampling.samples, fewest)
    yield at_most("median time between samples", sampling.median_ms, MAX_MEDIAN_MS, "ms")
    yield Criterion("longest gap between samples", f"{sampling.longest_gap_ms:.0f} ms", "", True)
    if sampling.error:
        yield Criterion("sampling to the end", sampling.error, "no error", False)


def at_most(
    name: str, measured: float, limit: float, unit: str = "", digits: int | None = None
) -> Criterion:
    shown = f"at most {_number(limit, unit, digits)}"
    return Criterion(name, _number(measured, unit, digits), shown, measured <= limit)


def at_least(name: str, measured: int, limit: int) -> Criterion:
    return Criterion(name, str(measured), f"at least {limit}", measured >= limit)


def _number(value: float, unit: str, digits: int | None = None) -> str:
    if digits is None:
        digits = 2 if unit == "%" else 0
    return f"{value:.{digits}f} {unit}".rstrip()


def table(criteria: Sequence[Criterion]) -> str:
    """One aligned line for each criterion, with a heading."""
    rows = [("criterion", "measured", "limit", "")]
    rows += [(c.name, c.measured, c.limit, "ok" if c.ok else "FAILED") for c in criteria]
    name, measured, limit = (max(len(row[column]) for row in rows) for column in range(3))
    return "\n".join(
        f"{row[0]:<{name}}  {row[1]:>{measured}}  {row[2]:<{limit}}  {row[3]}".rstrip()
        for row in rows
    )


def summary(criteria: Sequence[Criterion]) -> str:
    """The last line."""
    failed = [criterion.name for criterion in criteria if not criterion.ok]
    return f"VERDICT: FAILED ({', '.join(failed)})" if failed else "VERDICT: passed"
