"""Of the rounds of a race: medians, ratios, their spread, and whether a bar is met."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from .plan import Bar, Race

Figures = Mapping[str, float]
#: The figures of each contender's runs, a list each; runs with the same index were neighbours.
Rounds = Mapping[str, Sequence[Figures]]


@dataclass(frozen=True)
class Measure:
    """What is made of one run's figures."""

    value: Callable[[Figures], float]
    shown: Callable[[float], str]
    title: str


def shown_time(seconds: float) -> str:
    for factor, unit in ((1e6, "µs"), (1e3, "ms")):
        if seconds * factor < 1000:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.3g} s"


def _cpu(run: Figures) -> float:
    return run["cpu"] / run["count"]


def _shown_cpu(seconds: float) -> str:
    return f"{shown_time(seconds)} CPU"


MEASURES = {
    "cpu": Measure(_cpu, _shown_cpu, "CPU"),
    "rate": Measure(
        lambda run: run["count"] / run["wall"], "{:,.0f}/s".format, "rate, more is better"
    ),
    "wall": Measure(lambda run: run["wall"], shown_time, "time"),
    "memory": Measure(lambda run: run["bytes"] / run["count"], "{:,.0f} bytes".format, "memory"),
}


@dataclass(frozen=True)
class Spread:
    """Of several values: the one in the middle, the smallest and the largest."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True)
class Line:
    """One line of the table: a contender's figure, and its ratio to another's."""

    race: str
    contender: str
    measure: str
    value: Spread
    against: str = ""
    ratio: Spread | None = None
    bar: Bar | None = None
    met: bool | None = None
    """None where there is no bar."""


def values(rounds: Rounds, contender: str, measure: str) -> list[float]:
    return [MEASURES[measure].value(run) for run in rounds[contender]]


def ratios(rounds: Rounds, contender: str, against: str, measure: str) -> list[float]:
    """One for each round: neighbours are compared, not averages."""
    pairs = zip(values(rounds, contender, measure), values(rounds, against, measure))
    return [own / other for own, other in pairs]


def is_met(bar: Bar, spread: Spread) -> bool:
    return spread.median >= bar.limit if bar.least else spread.median <= bar.limit


def lines(race: Race, rounds: Rounds) -> list[Line]:
    """The lines of a race: each contender beside the reference, and each bar against another.

    A contender that is absent has none.
    """
    found = [_line(race, rounds, *each) for each in _asked(race) if _is_there(rounds, each)]
    reached = {line.bar.choice for line in found if line.bar and line.bar.choice and line.met}
    # Of the bars of one choice any one is enough.
    return [
        replace(line, met=True) if line.bar and line.bar.choice in reached else line
        for line in found
    ]


def _asked(race: Race) -> Iterator[tuple[str, str, str, Bar | None]]:
    """Contender, measure, against whom, and with which bar."""
    bars = {(bar.contender, bar.measure, bar.against): bar for bar in race.bars}
    for contender in race.contenders:
        for measure in race.measures:
            against = "" if contender == race.reference else race.reference
            yield contender, measure, against, bars.pop((contender, measure, against), None)
        for key in [key for key in bars if key[0] == contender]:
            yield *key, bars.pop(key)


def _is_there(rounds: Rounds, asked: tuple[str, str, str, Bar | None]) -> bool:
    contender, _, against, _ = asked
    return bool(rounds.get(contender)) and (not against or bool(rounds.get(against)))


def _line(
    race: Race, rounds: Rounds, contender: str, measure: str, against: str, bar: Bar | None
) -> Line:
    value = Spread.of(values(rounds, contender, measure))
    ratio = Spread.of(ratios(rounds, contender, against, measure)) if against else None
    judged = value if ratio is None else ratio
    met = None if bar is None else is_met(bar, judged)
    return Line(race.name, contender, measure, value, against, ratio, bar, met)
