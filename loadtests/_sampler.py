"""Counts the site's sessions on the server, 20 times a second.

A process of its own, because whoever makes the load is too busy to look in time::

    python -m loadtests._sampler [--series] [--outages] APPLICATION_NAME_PREFIX REUSE_CONNS

It reads ``DATABASE_URL``, prints ``sampling`` after the first sample, and goes on until its
standard input closes. Then it lets the site cool down, prints what it saw as one line of JSON (a
``Sampling``), and ends. It sees the state of sessions of its own role, or, as a member of
``pg_read_all_stats``, of all.

``--series`` adds what was in each second; with ``--outages`` a server that goes is expected to come
back. The clients of the PgBouncer that ``PGBOUNCER_URL`` names are counted, too.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import math
import os
import select
import sys
import time
from typing import Any, Callable

import psycopg

from loadtests._tally import Record

INTERVAL = 0.05
#: Seconds that the site may take until its surplus of connections is closed.
COOL_DOWN = 5.0
#: Seconds for which the site must look cool: work that waits for a connection shows up by then.
COOL_FOR = 0.5
CONNECT_TIMEOUT = 5

# A session of a parallel query carries the name too, but nobody connected for it.
_OF_THE_SITE = """
      FROM pg_stat_activity
     WHERE starts_with(application_name, %s)
       AND backend_type = 'client backend'
       AND pid <> pg_backend_pid()
"""
QUERY = f"""
    SELECT application_name,
           count(*),
           count(*) FILTER (WHERE state = 'idle'),
           count(*) FILTER (WHERE state = 'active'),
           count(*) FILTER (WHERE state LIKE 'idle in transaction%%')
    {_OF_THE_SITE}
     GROUP BY application_name
"""
#: The same sessions, one by one. Not their queries: those may hold anybody's data.
SESSIONS = f"""
    SELECT pid,
           application_name,
           coalesce(state, 'unknown'),
           wait_event_type || ': ' || wait_event,
           extract(epoch FROM clock_timestamp() - state_change)::float8
    {_OF_THE_SITE}
     ORDER BY application_name, pid
"""


def connect(url: str) -> psycopg.Connection[tuple[Any, ...]]:
    """:raises psycopg.Error: if the server does not answer, or refuses the login."""
    return psycopg.connect(
        url,
        autocommit=True,
        connect_timeout=CONNECT_TIMEOUT,
        application_name="loadtests-sampler",
    )


def watch(sample: Callable[[], None]) -> None:
    """Sample until standard input closes."""
    due = time.monotonic()
    while True:
        due = max(due + INTERVAL, time.monotonic())
        closed, _, _ = select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))
        if closed:
            return
        sample()


def cool_down(sample: Callable[[], None], is_cool: Callable[[], bool]) -> None:
    """Sample until the site stays cool, or has had its time."""
    deadline = time.monotonic() + COOL_DOWN
    cool_since = math.inf
    while time.monotonic() < min(deadline, cool_since + COOL_FOR):
        sample()
        cool_since = min(cool_since, time.monotonic()) if is_cool() else math.inf
        time.sleep(INTERVAL)


def say(line: str) -> None:
    """To whoever started us, if it still lives."""
    with contextlib.suppress(BrokenPipeError):
        os.write(sys.stdout.fileno(), f"{line}\n".encode())


class Sampler:
    """Asks the server, and PgBouncer where there is one."""

    def __init__(self, prefix: str, *, series: bool, outages: bool) -> None:
        self._prefix = prefix
        self._with_series, self._through_outages = series, outages
        self._pgbouncer = os.environ.get("PGBOUNCER_URL")
        self._stack = contextlib.ExitStack()
        self._server: psycopg.Connection[tuple[Any, ...]] | None = None
        self._console: psycopg.Connection[tuple[Any, ...]] | None = None
        self._away_since: float | None = None
        self.outages: list[tuple[float, float]] = []
        self.record = Record()

    def sample(self) -> None:
        """:raises psycopg.Error: if the server does not answer, unless that is expected."""
        try:
            self._sample()
        except psycopg.Error:
            if not self._through_outages:
                raise
            self._away_since = self._away_since or time.time()
            self.close()

    def _sample(self) -> None:
        if self._server is None:
            self._server = self._stack.enter_context(connect(os.environ["DATABASE_URL"]))
            if self._pgbouncer:
                self._console = self._stack.enter_context(connect(self._pgbouncer))
                self._console.prepare_threshold = None  # it has simple queries only
        self.record.add(
            self._server.execute(QUERY, [self._prefix]).fetchall(),
            time.monotonic(),
        )
        if self._with_series:
            clients = 0 if self._console is None else clients_of(self._console)
            self.record.add_to_series(int(time.time()), clients)
        if self._away_since is not None:
            self.outages.append((self._away_since, time.time()))
            self._away_since = None

    def close(self) -> None:
        self._server = self._console = None
        with contextlib.suppress(psycopg.Error):
            self._stack.close()


def clients_of(console: psycopg.Connection[tuple[Any, ...]]) -> int:
    """How many are connected, whether served or waiting; not counting who asks.

    https://www.pgbouncer.org/usage.html#show-pools
    """
    rows = console.execute("SHOW POOLS").fetchall()
    return sum(active + waiting for name, _, active, waiting, *_ in rows if name != "pgbouncer")


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m loadtests._sampler")
    parser.add_argument("prefix")
    parser.add_argument("reuse_conns", type=int)
    parser.add_argument("--series", action="store_true")
    parser.add_argument("--outages", action="store_true")
    options = parser.parse_args(arguments)
    sampler, error = Sampler(options.prefix, series=options.series, outages=options.outages), None
    try:
        sampler.sample()
        say("sampling")
        watch(sampler.sample)
        cool_down(sampler.sample, lambda: sampler.record.is_cool(options.reuse_conns))
    except psycopg.Error as problem:
        error = str(problem).splitlines()[0]
    finally:
        sampler.close()
    say(json.dumps(dataclasses.asdict(sampler.record.report(error, sampler.outages))))


if __name__ == "__main__":
    main(sys.argv[1:])
