"""Counts the site's sessions on the server, 20 times a second.

A process of its own, because whoever makes the load is too busy to look in time::

    python -m loadtests._sampler APPLICATION_NAME_PREFIX REUSE_CONNS

It reads ``DATABASE_URL``, prints ``sampling`` after the first sample, and goes on until its
standard input closes. Then it lets the site cool down, prints what it saw as one line of JSON (a
``Sampling``), and ends. It sees the state of sessions of its own role, or, as a member of
``pg_read_all_stats``, of all.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import select
import statistics
import sys
import time
from collections.abc import Iterable
from typing import Any, Callable

import psycopg

from loadtests._judge import Sampling, Sessions

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


class Record:
    """What was seen up to now."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._peak: dict[str, Sessions] = {}
        self._last: dict[str, Sessions] = {}

    def add(self, rows: Iterable[tuple[Any, ...]], seconds: float) -> None:
        """:param seconds: when the rows were read, on a clock that only goes forward."""
        self._times.append(seconds)
        self._last = {name: Sessions(*counts) for name, *counts in rows}
        for name, sessions in self._last.items():
            self._peak[name] = highest(self._peak.get(name, sessions), sessions)

    def is_cool(self, reuse_conns: int) -> bool:
        """Nobody works, and only what the pool may keep is open."""
        return all(seen.idle == seen.total <= reuse_conns for seen in self._last.values())

    def report(self, error: str | None) -> Sampling:
        gaps = [(b - a) * 1000 for a, b in zip(self._times, self._times[1:])] or [0.0]
        return Sampling(
            samples=len(self._times),
            median_ms=round(statistics.median(gaps), 1),
            longest_gap_ms=round(max(gaps), 1),
            peak=self._peak,
            last=self._last,
            error=error,
        )


def highest(one: Sessions, other: Sessions) -> Sessions:
    """The higher count of each state."""
    return Sessions(*map(max, dataclasses.astuple(one), dataclasses.astuple(other)))


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


def main(prefix: str, reuse_conns: int) -> None:
    record, error = Record(), None
    try:
        with connect(os.environ["DATABASE_URL"]) as connection:

            def sample() -> None:
                rows = connection.execute(QUERY, [prefix]).fetchall()
                record.add(rows, time.monotonic())

            sample()
            say("sampling")
            watch(sample)
            cool_down(sample, lambda: record.is_cool(reuse_conns))
    except psycopg.Error as problem:
        error = str(problem).splitlines()[0]
    say(json.dumps(dataclasses.asdict(record.report(error))))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
