"""A run of the matrix as a whole: when, where, on what, and what came of its cells."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from typing import Any

from . import sources
from .cells import Cell, Exclusion, candidates, why_not
from .results import FAILED, PASSED, SKIPPED, Result, Store, write

NOT_RUN, EXCLUDED, MAY_FAIL = "not run", "excluded", "may fail"


@dataclass(frozen=True)
class Run:
    """One run, or several that were needed for the same sources."""

    fingerprint: str
    commit: str
    date: str
    """When it ended, UTC."""
    cores: int
    system: str
    jobs: int
    seconds: float
    """By the clock on the wall, of all runs together."""
    runs: int = 1

    @classmethod
    def now(cls, fingerprint: str, jobs: int, seconds: float, last: Run | None) -> Run:
        """:param last: the run before, which counts if it was on the same sources."""
        date = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
        run = cls(
            *(fingerprint, sources.commit(), date, sources.cores(), sources.system()),
            *(jobs, seconds),
        )
        if last is None or last.fingerprint != fingerprint:
            return run
        return replace(run, seconds=last.seconds + seconds, runs=last.runs + 1)


@dataclass(frozen=True)
class Record:
    """What the report is made of."""

    run: Run
    candidates: Sequence[Cell]
    results: Mapping[str, Result]
    """By the name of the cell; the cells that have not run are missing."""

    @property
    def cells(self) -> list[Cell]:
        return [cell for cell in self.candidates if self.exclusion(cell) is None]

    def exclusion(self, cell: Cell) -> Exclusion | None:
        return why_not(cell)

    def status(self, cell: Cell) -> str:
        if self.exclusion(cell):
            return EXCLUDED
        result = self.results.get(cell.name)
        return result.status if result else NOT_RUN

    def verdict(self, cell: Cell) -> str:
        """The status, in which a failure that may be is MAY_FAIL."""
        status = self.status(cell)
        return MAY_FAIL if cell.may_fail and status == FAILED else status

    def exclusions(self) -> Counter[Exclusion]:
        """How many candidates each of them leaves out."""
        return Counter(each for cell in self.candidates if (each := self.exclusion(cell)))

    def counts(self) -> dict[str, int]:
        """How many candidates have each verdict."""
        found = Counter(map(self.verdict, self.candidates))
        return {
            name: found[name] for name in (PASSED, FAILED, MAY_FAIL, SKIPPED, NOT_RUN, EXCLUDED)
        }

    @property
    def failed(self) -> list[Result]:
        """Those that count."""
        return [self.results[cell.name] for cell in self.cells if self.verdict(cell) == FAILED]

    @property
    def partial(self) -> list[Result]:
        """What ran only some of the tests."""
        return [result for result in self.results.values() if result.arguments]

    def tests(self) -> int:
        return sum(result.tests.ran for result in self.results.values())

    def figures(self) -> dict[str, Any]:
        """For ``--json``."""
        cells = {
            name: {"status": result.status, **_without(asdict(result), "tail", "cell", "status")}
            for name, result in self.results.items()
        }
        return {
            "run": asdict(self.run),
            "counts": self.counts(),
            "tests": self.tests(),
            "partial": bool(self.partial),
            "cells": cells,
        }


def _without(values: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}


def load_run(store: Store) -> Run | None:
    try:
        return Run(**json.loads((store.results / "run.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def save_run(store: Store, run: Run) -> None:
    write(store.results / "run.json", json.dumps(asdict(run), indent=1) + "\n")


def record(store: Store, run: Run) -> Record:
    """What the store has of the sources of *run*."""
    every = list(candidates())
    found = {cell.name: result for cell in every if (result := store.load(cell))}
    return Record(
        run,
        every,
        {name: each for name, each in found.items() if each.fingerprint == run.fingerprint},
    )
