"""What was measured in one run of a scenario, and what can be asked of it.

All times are seconds since Locust began, unless they are called Unix times.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from loadtests._judge import Sampling
from loadtests._scenario import Scenario

SILENT = -1


@dataclass(frozen=True)
class Answers:
    """How many answers came, how many of them failed, and how long they took."""

    failed: int = 0
    times: Mapping[int, int] = field(default_factory=dict)
    """How many took how many milliseconds, rounded to two digits."""

    @property
    def count(self) -> int:
        return sum(self.times.values())

    @property
    def failure_ratio(self) -> float:
        return self.failed / self.count if self.count else 0.0

    def percentile(self, part: float) -> float:
        """Milliseconds; 0 without answers."""
        wanted, seen = math.ceil(self.count * part), 0
        for milliseconds in sorted(self.times):
            seen += self.times[milliseconds]
            if seen >= wanted:
                return float(milliseconds)
        return 0.0

    def __add__(self, other: Answers) -> Answers:
        return Answers(self.failed + other.failed, Counter(self.times) + Counter(other.times))


@dataclass(frozen=True)
class Second:
    """The answers of one second from one site."""

    at: float
    """When it began."""
    site: int
    answers: Answers


@dataclass(frozen=True)
class Span:
    """A disturbance as it was."""

    what: str
    begin: float
    end: float
    settled: float
    """From then on nothing may fail for it."""


@dataclass(frozen=True)
class PoolMoment:
    """What the pools said of themselves at one moment, all processes together."""

    at: float
    in_use: int
    idle: int
    waiting: int
    moving: int
    """Opening and closing."""
    most_in_use: int
    """Of the process that had the most."""


@dataclass(frozen=True)
class PoolsAtEnd:
    """What the pools said when all was over."""

    open: Mapping[str, int] = field(default_factory=dict)
    """Idle connections, by the application name of the process's sessions."""
    not_free: int = 0
    """Slots that are lent, opening or closing, and callers that wait. SILENT, if a site tells
    nothing of its pools."""
    checkouts: int = 0
    connects: int = 0
    failed_connects: int = 0
    timeouts: int = 0
    reclaims: int = 0
    waits: int = 0
    discards: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """What was asked under one name, and how it was answered; milliseconds."""

    name: str
    requests: int
    failed: int
    p50: float
    p95: float
    p99: float


@dataclass(frozen=True)
class Run:
    scenario: Scenario
    began: float
    """Unix time."""
    seconds: tuple[Second, ...]
    sampling: Sampling
    pools: tuple[PoolMoment, ...] = ()
    memory: tuple[tuple[float, float], ...] = ()
    """When, and MB that the processes of the site together kept resident."""
    end: PoolsAtEnd = PoolsAtEnd()
    disturbed: tuple[Span, ...] = ()
    asked: tuple[Asked, ...] = ()
    failures: tuple[tuple[str, int], ...] = ()
    """What failed, and how often."""
    errors: int = 0
    """Exceptions raised by the suite itself."""
    trouble: str = ""
    """Why the load ended early."""

    def answers(self, site: int | None = None) -> Answers:
        """All of them, from one site or all. The first second has begun before Locust did."""
        return sum((each.answers for each in self.seconds if site in (None, each.site)), Answers())

    def best_quarter(self, begin: float, end: float) -> Answers:
        """The answers of those seconds within *begin* and *end* that have the lowest p95."""
        within = [each for at, each in self.every_second() if begin <= at <= end - 1 and each.count]
        within.sort(key=lambda each: each.percentile(0.95))
        return sum(within[: max(1, len(within) // 4)], Answers())

    def stage(self, index: int) -> tuple[float, float]:
        """When it began and ended."""
        stages = self.scenario.stages
        begin = sum(stage.seconds for stage in stages[:index])
        return begin, begin + stages[index].seconds

    def undisturbed(self) -> Answers:
        """The answers of all seconds that no disturbance touches."""
        return sum(
            (
                each.answers
                for each in self.seconds
                if not any(span.begin - 1 < each.at < span.settled for span in self.disturbed)
            ),
            Answers(),
        )

    def recovery(self, span: Span) -> float:
        """Seconds from its end until answers come again, and none of them fails any more.

        Infinity, if that is not so when it must have settled.
        """
        after = [
            (at, each) for at, each in self.every_second() if span.end - 1 < at <= span.settled
        ]
        bad = [at for at, each in after if each.failed or not each.count]
        if not after or bad[-1:] == [after[-1][0]]:
            return math.inf
        return max([0.0, *(at + 1 - span.end for at in bad)])

    def every_second(self) -> list[tuple[float, Answers]]:
        """When it began, and the answers of all sites; also of those in which none came."""
        first = self.seconds[0].at if self.seconds else 0.0
        found: dict[int, Answers] = {}
        for each in self.seconds:
            number = round(each.at - first)
            found[number] = found.get(number, Answers()) + each.answers
        numbers = range(max(found, default=-1) + 1)
        return [(first + number, found.get(number, Answers())) for number in numbers]
