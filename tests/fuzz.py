"""Search for a schedule under which the pool breaks a promise: ``tox -e fuzz``.

First every schedule that differs from the usual course in at most two places, for each scenario;
then schedules of other scenarios drawn at random, from a seed that is printed; then the pool with
faults in it, each of which must be found.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time

from .mutants import MUTANTS, mutant
from .schedules import SCENARIOS, anywhere, hunt, near
from .world import Violation


class Count:
    """Distinct schedules, and the steps in them."""

    def __init__(self) -> None:
        self.schedules = self.steps = 0
        self._seen: set[int] = set()

    def add(self, run: object) -> None:
        key = hash((run.scenario, tuple(run.chosen)))  # type: ignore[attr-defined]
        if key not in self._seen:
            self._seen.add(key)
            self.schedules += 1
            self.steps += len(run.chosen)  # type: ignore[attr-defined]


def search(schedules: int, seed: int) -> Count:
    """:raises Violation: with the scenario and what was chosen."""
    count = Count()
    for scenario in SCENARIOS:
        for run in near(scenario, places=2):
            count.add(run)
    print(f"{count.schedules} schedules within two places of the usual course", flush=True)
    while count.schedules < schedules:
        try:
            count.add(anywhere(seed))
        except Violation:
            print(f"found by: python -m tests.fuzz --replay {seed}")
            raise
        seed += 1
    return count


def broken_promise(name: str) -> str | None:
    """The promise that the pool with this fault breaks."""
    try:
        hunt(mutant(name))
    except Violation as violation:
        return str(violation).partition(":")[0]
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.fuzz")
    parser.add_argument("--schedules", type=int, default=100_000, metavar="N")
    parser.add_argument("--seed", type=int, default=0, help="of the first one drawn at random")
    parser.add_argument("--replay", type=int, metavar="SEED", help="show one, step by step")
    parser.add_argument("--json", metavar="FILE", help="store the figures")
    options = parser.parse_args()
    logging.getLogger("django_db_geventpool").setLevel("CRITICAL")
    if options.replay is not None:
        print("\n".join(anywhere(options.replay).world.trace))
        return 0
    began = time.monotonic()
    try:
        count = search(options.schedules, options.seed)
    except Violation as violation:
        print(f"BROKEN: {violation}")
        return 1
    took = time.monotonic() - began
    print(f"{count.schedules} schedules, {count.steps} steps in {took:.0f} s: no promise broken")
    found = {name: broken_promise(name) for name in MUTANTS}
    for name, promise in found.items():
        print(f"  {name}: {f'breaks “{promise}”' if promise else 'NOT FOUND'}")
    killed = sum(promise is not None for promise in found.values())
    print(f"{killed} of {len(found)} faults found")
    if options.json:
        figures = {
            "schedules": count.schedules,
            "steps": count.steps,
            "seconds": round(took, 1),
            "faults": found,
        }
        with open(options.json, "w") as file:
            json.dump(figures, file, indent=1)
    return 0 if killed == len(found) else 1


if __name__ == "__main__":
    sys.exit(main())
