"""``python -m benchmarks``: what the pool costs, as ratios to its peers.

The exit code is 0 whether or not every bar is met; 1 if ``--gate`` finds a regression; 2 if there
was nothing to measure.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

import psycopg

from matrix import postgres

from . import report, runs
from .envs import EnvUnavailable
from .plan import RACES, Race
from .record import Record, Unfit
from .runs import Scale
from .teams import WorkerFailed
from .workloads.site import ROWS

#: A round gives one ratio; their median is the figure.
ROUNDS, QUICK_ROUNDS = 9, 3
#: Connections that the server admits: cold start opens one for each of 500 greenlets.
MAX_CONNECTIONS = "700"


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        allow_abbrev=False,
        description="Measure what the pool costs, beside its peers and beside what limits them.",
    )
    parser.add_argument("--quick", action="store_true", help="in under 3 minutes")
    parser.add_argument("--json", metavar="FILE", type=Path, help="store the figures here")
    parser.add_argument(
        "--only", metavar="NAME", nargs="+", help=", ".join(race.name for race in RACES)
    )
    parser.add_argument("--rounds", metavar="N", type=int, help=f"{ROUNDS}, quick {QUICK_ROUNDS}")
    options = parser.parse_args(arguments)
    if options.rounds is not None and options.rounds < 1:
        parser.error(f"--rounds is {options.rounds}; it must be at least 1.")
    return options


def chosen(names: Sequence[str] | None) -> list[Race]:
    """:raises Unfit: if a name is no race's."""
    known = [race.name for race in RACES]
    for name in names or ():
        if name not in known:
            raise Unfit(f"--only {name!r}: there is no such race; it can be {', '.join(known)}.")
    return [race for race in RACES if names is None or race.name in names]


def measure(options: argparse.Namespace, races: Sequence[Race]) -> Record:
    """Run *races* on a server of their own; say how far it is on standard error."""
    environ = {"PG_MAX_CONNECTIONS": MAX_CONNECTIONS, **os.environ}
    rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    with postgres.server(environ) as server, table(server):
        record = Record.begin(server.origin, options.quick)
        for race in races:
            runs.run(race, Scale(rounds, options.quick), server, record, say)
    return record


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


def terminated(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    signal.signal(signal.SIGTERM, terminated)
    try:
        record = measure(options, chosen(options.only))
        print(report.table(record))
        print("\n".join(report.closing(record)))
        if options.json:
            record.save(options.json)
    except (postgres.ServerUnavailable, EnvUnavailable, WorkerFailed, Unfit) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
