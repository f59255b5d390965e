"""Django's own test suite under gevent, with Django's PostgreSQL engine and then with ours.

``python -m matrix.djangosuite [APP ...]`` compares the two test by test: what passes with Django's
``postgresql`` engine must pass with our ``postgresql_psycopg``, on the same server, in the same
order, in one process each. If ``gis_tests`` is named, both are the PostGIS engines, and
``DATABASE_URL`` must name a server that has the extension. Without an app it is the whole suite,
about a quarter of an hour for each engine.

The exit code is 0 if no test is worse, 1 if one is, and 2 if there was no run to the end.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from django_db_geventpool.config import RELEASES

from . import postgres, unwind_on_sigterm
from ._suite_results import (
    EXCEPTIONS,
    RELEASE_EXCEPTIONS,
    SKIPS,
    Comparison,
    Results,
    Unusable,
    compare,
)
from ._suite_run import RunFailed, Suite
from ._suite_source import SourceUnavailable


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m matrix.djangosuite",
        description="Run Django's own tests with Django's engine and with ours, and compare.",
    )
    parser.add_argument("apps", nargs="*", metavar="APP", help="backends, ...; default: all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="store the comparison here")
    one = parser.add_mutually_exclusive_group()
    one.add_argument(
        "--record", type=Path, metavar="FILE", help="run stock only, and keep its results here"
    )
    one.add_argument(
        "--stock", type=Path, metavar="FILE", help="compare with results that --record kept"
    )
    parser.add_argument(
        "--release",
        choices=RELEASES,
        default="request",
        help="our engine's OPTIONS['RELEASE'] (%(default)s)",
    )
    parser.add_argument(
        "--test-limit",
        type=float,
        default=120,
        metavar="S",
        help="seconds for a test (%(default)s)",
    )
    parser.add_argument(
        "--limit", type=float, default=7200, metavar="S", help="seconds for a run (%(default)s)"
    )
    return parser.parse_args(arguments)


def say(results: Results, side: str) -> None:
    counts = ", ".join(f"{number} {outcome}" for outcome, number in results.counts().items())
    print(f"{side}: {len(results.outcomes)} tests in {results.seconds:.0f} s: {counts}", flush=True)


def report(comparison: Comparison, ours: Results) -> str:
    """What differs, a test to a line; the verdict last."""
    found = []
    for title, tests in (
        ("fail with our engine, and not with Django's", comparison.failing),
        ("pass with Django's engine, and were not run with ours", comparison.missing),
        ("failed with our engine, and passed when run again by themselves", comparison.unsteady),
        ("exceptions that are no longer needed", comparison.stale),
        ("exceptions", comparison.excepted),
        ("fail with Django's engine, and not with ours", comparison.only_stock),
    ):
        found += [f"{len(tests)} {title}"] if tests else []
        found += [f"  {test}{why(test, ours)}" for test in tests]
    found.append(f"{len(comparison.both)} fail with both")
    found.append("VERDICT: passed" if comparison.ok else "VERDICT: FAILED")
    return "\n".join(found)


def why(test: str, ours: Results) -> str:
    """The last line of the traceback, or the reason of an exception."""
    told = (
        RELEASE_EXCEPTIONS.get(test)
        or SKIPS.get(test)
        or ours.details.get(test, "").strip().rpartition("\n")[2]
    )
    return f"  ({told})" if told else ""


def run(options: argparse.Namespace) -> int:
    with postgres.server() as server:
        suite = Suite(server, options)
        environment = suite.environment()
        print(", ".join(f"{name} {value}" for name, value in environment.items()), flush=True)
        if options.stock:
            stock = Results.load(options.stock, environment)
        else:
            stock = suite.run("stock", environment)
        say(stock, "stock")
        if options.record:
            stock.save(options.record)
            return 0
        ours = suite.run("ours", environment)
        say(ours, "ours")
        known = EXCEPTIONS if options.release == "request" else RELEASE_EXCEPTIONS
        comparison = compare(stock.outcomes, ours.outcomes, known)
        labels = [test for test in comparison.failing if "(" not in test]  # else it is a fixture
        if labels:
            comparison = comparison.after(suite.run("ours", environment, labels).outcomes)
    print(report(comparison, ours))
    if options.json:
        figures = {"environment": environment, "ok": comparison.ok, **asdict(comparison)}
        figures["counts"] = {"stock": stock.counts(), "ours": ours.counts()}
        figures["details"] = {test: ours.details.get(test, "") for test in comparison.failing}
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0 if comparison.ok else 1


def main(arguments: list[str]) -> int:
    unwind_on_sigterm()
    try:
        return run(parse(arguments))
    except (postgres.ServerUnavailable, SourceUnavailable, RunFailed, Unusable) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
