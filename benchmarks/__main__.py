"""``python -m benchmarks``: what the pool costs, as ratios to its peers.

The exit code is 0 whether or not every bar is met; 1 if ``--gate`` finds a regression; 2 if there
was nothing to measure.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg

from matrix import postgres, unwind_on_sigterm

from . import document, report, runs
from .envs import EnvUnavailable
from .figures import lines
from .plan import PROFILED, RACES, Race, gated
from .record import Record, Unfit, load, merge
from .runs import Scale
from .teams import WorkerFailed
from .workloads.site import ROWS

#: A round gives one ratio; their median is the figure.
ROUNDS, QUICK_ROUNDS = 15, 4
#: Connections that the server admits: cold start opens one for each of 500 greenlets.
MAX_CONNECTIONS = "700"


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        allow_abbrev=False,
        description="Measure what the pool costs, beside its peers and beside what limits them.",
        epilog=f"Races: {', '.join(race.name for race in RACES)}.",
    )
    parser.add_argument("--quick", action="store_true", help="in under 3 minutes")
    parser.add_argument("--json", metavar="FILE", type=Path, help="store the figures here")
    parser.add_argument("--only", metavar="NAME", nargs="+", help="these races")
    parser.add_argument("--rounds", metavar="N", type=int, help=f"{ROUNDS}, quick {QUICK_ROUNDS}")
    parser.add_argument("--profile", action="store_true", help="where the CPU of a request goes")
    other = parser.add_mutually_exclusive_group()
    other.add_argument(
        "--gate", action="store_true", help="fail if a ratio is far from what it was; for CI"
    )
    other.add_argument(
        "--docs",
        metavar="FILE",
        type=Path,
        nargs="+",
        help="measure nothing; write what these files of --json hold into docs/",
    )
    options = parser.parse_args(arguments)
    if options.rounds is not None and options.rounds < 1:
        parser.error(f"--rounds is {options.rounds}; it must be at least 1.")
    options.quick |= options.gate
    return options


def chosen(options: argparse.Namespace) -> list[Race]:
    """:raises Unfit: if a name is no race's."""
    known = [race.name for race in RACES]
    for name in options.only or ():
        if name not in known:
            raise Unfit(f"--only {name}: there is no such race; it can be {', '.join(known)}.")
    races = [race for race in RACES if options.only is None or race.name in options.only]
    return [gated(race) for race in races if race.gate] if options.gate else races


def measure(options: argparse.Namespace, races: Sequence[Race]) -> Record:
    """Run *races* on a server of their own; say how far it is on standard error."""
    environ = {"PG_MAX_CONNECTIONS": MAX_CONNECTIONS, **os.environ}
    scale = Scale(options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS), options.quick)
    with postgres.server(environ) as server, table(server):
        record = Record.begin(server.origin, options.quick)
        for race in races:
            runs.run(race, scale, server, record, say)
        if options.profile:
            runs.profile(PROFILED, scale, server, record, say)
    return record


def tell(record: Record) -> None:
    print(report.table(record))
    if record.profiles:
        print("\n".join(report.aligned(report.profile(record))), end="\n\n")
    print("\n".join(report.closing(record)))


def judge(record: Record, races: Sequence[Race]) -> int:
    """The exit code of the gate; tells on standard error what is beyond its limit."""
    regressions = [
        f"{race.name}: {' '.join(report.cells(race, line)).strip()}"
        for race in races
        for line in lines(race, record.rounds[race.name])
        if line.met is False
    ]
    for regression in regressions:
        print(f"error: {regression}: slower than it was", file=sys.stderr)
    return 1 if regressions else 0


@contextmanager
def table(server: postgres.Server) -> Iterator[None]:
    """The one that the requests read from."""
    drop = "DROP TABLE IF EXISTS benchmark_row"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(drop)
        connection.execute(
            "CREATE TABLE benchmark_row AS SELECT id, 'row ' || id AS name, id * 2 AS amount, "
            f"now() AS changed FROM generate_series(1::bigint, {ROWS}) AS id"
        )
        connection.execute("ALTER TABLE benchmark_row ADD PRIMARY KEY (id)")
        connection.execute("ANALYZE benchmark_row")
        try:
            yield
        finally:
            connection.execute(drop)


def say(progress: str) -> None:
    print(progress, file=sys.stderr, flush=True)


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    unwind_on_sigterm()
    try:
        if options.docs:
            document.render(merge([load(path) for path in options.docs]))
            return 0
        races = chosen(options)
        record = measure(options, races)
        tell(record)
        if options.json:
            record.save(options.json)
        return judge(record, races) if options.gate else 0
    except (postgres.ServerUnavailable, EnvUnavailable, WorkerFailed, Unfit) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
