"""A run of the races, as ``--json`` stores it: all that the tables and plots are made of."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from matrix import sources
from matrix.results import write

from .figures import Figures

VERSION = 1


class Unfit(Exception):
    """These files are no runs, or not such as belong together; the message is for a person."""


@dataclass
class Record:
    """One run, or several of the same machine and versions."""

    machine: str
    server: str
    """Which PostgreSQL."""
    dates: list[str]
    commits: list[str]
    loads: list[float]
    """How many processes wanted a core before each run; more than there are spoils it."""
    quick: bool = False
    versions: dict[str, str] = field(default_factory=dict)
    """Of the libraries that the contenders have loaded."""
    rounds: dict[str, dict[str, list[Figures]]] = field(default_factory=dict)
    """By race and contender; runs with the same index were neighbours."""
    absent: dict[str, dict[str, str]] = field(default_factory=dict)
    """By race and contender, why it did not run."""
    profiles: dict[str, dict[str, float]] = field(default_factory=dict)
    """By contender, the seconds of CPU that one request spends in each part."""
    version: int = VERSION

    @classmethod
    def begin(cls, server: str, quick: bool) -> Record:
        """Of this machine, now."""
        machine = f"{sources.system()}, {sources.cores()} cores"
        date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
        commits = [sources.commit() or "unknown"]
        load = round(os.getloadavg()[0], 1)
        return cls(machine, server, [date], commits, [load], quick)

    def save(self, path: Path) -> None:
        write(path, json.dumps(dataclasses.asdict(self), indent=1) + "\n")


def load(path: Path) -> Record:
    """:raises Unfit: if the file is no run of this version."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Unfit(f"{path}: {error.strerror}.") from None
    except ValueError:
        raise Unfit(f"{path} is not JSON.") from None
    if not isinstance(values, dict) or values.get("version") != VERSION:
        raise Unfit(f"{path} is no run of the benchmarks of this version.")
    try:
        return Record(**values)
    except TypeError:
        raise Unfit(f"{path} is no run of the benchmarks of this version.") from None


def merge(records: Sequence[Record]) -> Record:
    """All rounds of several runs as one, with the profile of the first that took one.

    :raises Unfit: unless machine, server, versions and scale are the same.
    """
    first, *others = records
    merged = dataclasses.replace(
        first,
        dates=[date for each in records for date in each.dates],
        loads=[load for each in records for load in each.loads],
        commits=list(dict.fromkeys(commit for each in records for commit in each.commits)),
        rounds=_joined([each.rounds for each in records]),
        absent={race: dict(why) for each in records for race, why in each.absent.items()},
        profiles=next((each.profiles for each in records if each.profiles), {}),
    )
    for other in others:
        for name in ("machine", "server", "versions", "quick"):
            if getattr(other, name) != getattr(first, name):
                raise Unfit(f"runs that differ in {name} cannot be merged")
        if {race: set(rounds) for race, rounds in other.rounds.items()} != {
            race: set(rounds) for race, rounds in first.rounds.items()
        }:
            raise Unfit("runs that differ in their contenders cannot be merged")
    return merged


def _joined(
    runs: Sequence[Mapping[str, Mapping[str, Sequence[Figures]]]],
) -> dict[str, dict[str, list[Figures]]]:
    joined: dict[str, dict[str, list[Figures]]] = {}
    for run in runs:
        for race, contenders in run.items():
            for contender, rounds in contenders.items():
                joined.setdefault(race, {}).setdefault(contender, []).extend(rounds)
    return joined
