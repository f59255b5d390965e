"""Where the CPU of a worker goes: which part of the program runs when the process's clock ticks.

A profiler that counts calls would make Python's part look larger than it is, and knows nothing of
greenlets. The clock ticks with the CPU time of the process; what C code does counts for the Python
function that has called it.
"""

from __future__ import annotations

import signal
from collections import Counter
from types import FrameType, TracebackType

#: Seconds of CPU between two looks; the kernel may make more of it.
INTERVAL = 0.001

#: The parts, by what the name of a module begins with; the first that fits counts. psycopg's
#: protocol in C and libpq are driven by the wait function, so ours counts as the driver.
PARTS = (
    ("django_db_geventpool.drivers", "driver, with the wait"),
    ("psycopg", "driver, with the wait"),
    ("psycogreen", "driver, with the wait"),
    ("django_db_geventpool.hubs.gevent_io", "driver, with the wait"),
    ("django_db_geventpool.backends", "pool: the engine"),
    ("django_db_geventpool", "pool: checkout and return"),
    ("django.db.models", "Django's ORM"),
    ("django.db.backends.postgresql.operations", "Django's ORM"),
    ("django.db.backends.postgresql.compiler", "Django's ORM"),
    ("django.db", "Django's connection handling"),
    ("asgiref", "Django's connection handling"),
    ("django", "Django, other"),
    ("gevent", "gevent"),
    ("benchmarks", "the new greenlet, and the benchmark"),
)
OTHER = "Python's library"


def part_of(module: str) -> str | None:
    """None for what counts as a part of whoever has called it: Python's library."""
    top = module.partition(".")[0]
    if top in ("psycopg2", "psycopg_binary", "psycopg_c"):
        module = "psycopg"
    return next((part for start, part in PARTS if f"{module}.".startswith(f"{start}.")), None)


class Sampler:
    """``with Sampler() as sampler: ...``, and then ``sampler.shares()``."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()

    def __enter__(self) -> Sampler:
        self._before = signal.signal(signal.SIGPROF, self._look)
        signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, self._before)

    def _look(self, number: int, frame: FrameType | None) -> None:
        part = None
        while frame is not None and part is None:
            part = part_of(frame.f_globals.get("__name__", ""))
            frame = frame.f_back
        self._seen[part or OTHER] += 1

    def shares(self) -> dict[str, float]:
        """Of the whole, which is 1."""
        total = sum(self._seen.values())
        return {part: seen / total for part, seen in self._seen.most_common()}
