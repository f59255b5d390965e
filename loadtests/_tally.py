"""What the sampler has seen up to now, and what it will report of that."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from loadtests._judge import Moment, Sampling, Sessions


class Record:
    """What was seen up to now."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._peak: dict[str, Sessions] = {}
        self._last: dict[str, Sessions] = {}
        self._series: dict[int, Moment] = {}

    def add(self, rows: Iterable[tuple[Any, ...]], seconds: float) -> None:
        """:param seconds: when the rows were read, on a clock that only goes forward."""
        self._times.append(seconds)
        self._last = {name: Sessions(*counts) for name, *counts in rows}
        for name, sessions in self._last.items():
            self._peak[name] = highest(self._peak.get(name, sessions), sessions)

    def add_to_series(self, second: int, clients: int) -> None:
        """The sample that was added last.

        :param second: in Unix time.
        """
        seen = self._last.values()
        moment = Moment(
            at=second,
            total=sum(each.total for each in seen),
            active=sum(each.active for each in seen),
            in_transaction=sum(each.in_transaction for each in seen),
            most=max((each.total for each in seen), default=0),
            clients=clients,
        )
        self._series[second] = highest(self._series.get(second, moment), moment)

    def is_cool(self, reuse_conns: int) -> bool:
        """Nobody works, and only what the pool may keep is open."""
        return all(seen.idle == seen.total <= reuse_conns for seen in self._last.values())

    def report(self, error: str | None, outages: Sequence[tuple[float, float]] = ()) -> Sampling:
        gaps = [(b - a) * 1000 for a, b in zip(self._times, self._times[1:])] or [0.0]
        return Sampling(
            samples=len(self._times),
            median_ms=round(statistics.median(gaps), 1),
            longest_gap_ms=round(max(gaps), 1),
            peak=self._peak,
            last=self._last,
            error=error,
            series=list(self._series.values()),
            outages=list(outages),
        )


T = TypeVar("T", Sessions, Moment)


def highest(one: T, other: T) -> T:
    """The higher count of each state."""
    return type(one)(*map(max, dataclasses.astuple(one), dataclasses.astuple(other)))
