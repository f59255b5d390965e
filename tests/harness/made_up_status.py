"""Figures of pools that have never been, for the tests of the live page and for its pictures.

They are what ``status.json`` says: see ``django_db_geventpool/contrib/monitor/views.py``.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import accumulate
from typing import Any, NamedTuple

from django_db_geventpool.contrib.group.snapshot import COLUMNS, INTERVAL, SAMPLES
from django_db_geventpool.stats import BOUNDS, Times
from django_db_geventpool.watch import Holder

Json = dict[str, Any]

AT = 1_764_212_001.4  # 02:53:21 UTC
SIZE = 8
THRESHOLD = 10.0
STACK = """\
  File "/srv/lib/python3.12/site-packages/gevent/pool.py", line 161, in apply
    return func(*args, **kwds)
  File "/srv/lib/python3.12/site-packages/django/core/handlers/base.py", line 197, in get
    response = wrapped_callback(request, *callback_args, **callback_kwargs)
  File "/srv/shop/{file}.py", line {line}, in {function}
    {code}
  File "/srv/lib/python3.12/site-packages/django/db/backends/utils.py", line 105, in _execute
    return self.cursor.execute(sql, params)
  File "/srv/lib/python3.12/site-packages/django_db_geventpool/hubs/gevent.py", line 88, in wait
    self._switch(watcher)
"""
REPORT = STACK.format(
    file="reports", line=153, function="monthly", code="rows = list(Order.objects.all())"
)
ORDER = STACK.format(
    file="orders", line=41, function="place", code="stock = Stock.objects.select_for_update().get()"
)


class Moment(NamedTuple):
    """A pool's second."""

    in_use: int = 0
    idle: int = 0
    opening: int = 0
    closing: int = 0
    waiting: int = 0
    checkouts: int = 0
    waits: int = 0
    timeouts: int = 0
    failed_connects: int = 0


#: What a pool does, by how many seconds ago; with a source of chance.
Story = Callable[[int, random.Random], Moment]


def quiet(ago: int, chance: random.Random) -> Moment:
    in_use = chance.choice((0, 0, 1, 1, 2))
    return Moment(in_use, 4 - in_use, checkouts=chance.randint(8, 16))


def busy(ago: int, chance: random.Random) -> Moment:
    wave = SIZE * (0.62 + 0.3 * math.sin(ago / 23)) + chance.uniform(-1.5, 1.5)
    in_use = max(1, min(SIZE, round(wave)))
    opening = int(in_use < SIZE and chance.random() < 0.2)
    idle = max(0, min(2, SIZE - in_use - opening))
    waiting = chance.randint(0, 5) if in_use == SIZE else 0
    return Moment(
        *(in_use, idle, opening, 0, waiting),
        checkouts=round(28 * in_use / SIZE) + chance.randint(-3, 3),
        waits=min(9, 3 * waiting),
    )


def exhausted(ago: int, chance: random.Random) -> Moment:
    """For 41 seconds; whoever waits is sent away after 30."""
    if ago > 41:
        return busy(ago + 30, chance)._replace(waiting=0, waits=0)
    waiting = min(10, round((42 - ago) / 3.5))
    return Moment(SIZE, waiting=waiting, timeouts=int(ago < 11 and ago % 3 == 0))


def down(ago: int, chance: random.Random) -> Moment:
    """The server is away: one connect at a time is tried."""
    if ago > 25:
        return quiet(ago, chance)
    return Moment(opening=1, waiting=chance.randint(0, 3), failed_connects=2)


def _times(seconds: Iterable[float]) -> Json:
    times = Times()
    for each in seconds:
        times.add(each)
    histogram = times.histogram()
    return {"counts": list(histogram.counts), "total": histogram.total}


def holders(story: Story, count: int) -> list[Json]:
    if story is not exhausted:
        kinds = [("GET /products/", 0.02, ""), ("POST /orders/", 0.06, ""), ("", 1.2, "")]
    else:
        kinds = [("GET /reports/monthly/", 41.3, REPORT), ("POST /orders/", 12.6, ORDER)]
    every = [kinds[0], kinds[0], kinds[-1], *kinds[1:]]
    found = [
        Holder(round(seconds * (1 - place / 17), 2), f"Greenlet-{place + 11}", request, stack)
        for place, (request, seconds, stack) in zip(range(count), every * 9)
    ]
    return [asdict(each) for each in sorted(found, key=lambda holder: -holder.seconds)]


def pool(story: Story, seed: int = 0, *, age: float = 0.3, threshold: float | None = None) -> Json:
    chance = random.Random(seed)
    moments = [story(ago, chance) for ago in range(SAMPLES, -1, -1)][:-1]
    at = AT - age
    grown = zip(*(accumulate(each, initial=5000) for each in list(zip(*moments))[5:]))
    rows = [
        [round(at - ago, 2), *moment[:5], *counters]
        for ago, moment, counters in zip(range(SAMPLES - 1, -1, -1), moments, list(grown)[1:])
    ]
    last = dict(zip(COLUMNS, rows[-1]))
    waits = [chance.lognormvariate(-2.2, 1.7) for _ in range(last["waits"] - 5000 + 40)]
    uses = [chance.lognormvariate(-3.6, 1.2) for _ in range(2000)]
    stats = {
        **{name: last[name] for name in ("in_use", "idle", "opening", "closing", "waiting")},
        "size": SIZE,
        "checkouts": last["checkouts"],
        "timeouts": last["timeouts"] - 5000,
        "failed_connects": last["failed_connects"] - 5000,
        "reclaims": 1,
        "discards": {"lifetime": 12, "surplus": 31, "gone": 2},
        "wait_time": _times(waits),
        "use_time": _times(uses),
        "connect_time": _times(chance.uniform(0.003, 0.03) for _ in range(53)),
    }
    return {
        "hub": "gevent",
        "release": "request",
        "reuse_conns": 4,
        "min_conns": 0,
        "leak_threshold": threshold,
        "stats": stats,
        "holders": holders(story, last["in_use"]),
        "samples": rows,
    }


def process(pid: int, pools: Mapping[str, Json], *, age: float = 0.3, host: str = "web-1") -> Json:
    return {
        "host": host,
        "pid": pid,
        "program": "gunicorn",
        "started": AT - 11_000,
        "at": AT - age,
        "age": age,
        "is_last": False,
        "pools": dict(pools),
    }


def ended(
    pid: int, ago: float, story: Story = quiet, *, is_last: bool = True, silent: float = 0.0
) -> Json:
    """A process that is no more, with what it has left behind; that was silent before."""
    left = pool(story, pid, age=ago)
    now = ("in_use", "idle", "opening", "closing", "waiting", "size")
    size, stats = left["stats"]["size"], {**left["stats"], **dict.fromkeys(now, 0)}
    kept = {**left, "reuse_conns": 0, "stats": stats, "size": size}
    one = process(pid, {"default": kept}, age=ago)
    del one["age"], kept["holders"]
    return {**one, "is_last": is_last, "found_at": AT - ago + silent}


def workers(story: Story, count: int = 3, threshold: float | None = None) -> list[Json]:
    return [
        process(4711 + each, {"default": pool(story, each, threshold=threshold)})
        for each in range(count)
    ]


def _added(values: list[Any]) -> Any:
    if isinstance(values[0], dict):
        names = {name: None for value in values for name in value}
        return {name: _added([value[name] for value in values if name in value]) for name in names}
    if isinstance(values[0], list):
        return [sum(each) for each in zip(*values)]
    return sum(values)


def status(processes: list[Json], gone: Sequence[Json] = (), **more: object) -> Json:
    """*more*: ``server``, ``trouble``."""
    kept = ("reuse_conns", "min_conns", "stats")
    totals: dict[str, list[Json]] = {}
    for each in (*processes, *gone):
        for name, found in each["pools"].items():
            totals.setdefault(name, []).append({key: found[key] for key in kept})
    return {
        "at": AT,
        "interval": INTERVAL,
        "columns": list(COLUMNS),
        "bounds": list(BOUNDS),
        "processes": processes,
        "ended": sorted(gone, key=lambda each: each["at"]),
        "trouble": "",
        "totals": {name: _added(found) for name, found in totals.items()},
        **more,
    }


def server(active: int = 5, idle: int = 7) -> Json:
    return {
        "at": AT,
        "max_connections": 100,
        "states": {"active": active, "idle": idle, "idle in transaction": 1},
        "samples": [[AT - ago, active, idle, 1] for ago in range(SAMPLES, -1, -1)],
        "sessions": [
            {
                "pid": 900 + each,
                "application": f"shop-{4711 + each % 3}",
                "state": "active" if each < active else "idle",
                "wait": "" if each < active else "Client: ClientRead",
                "seconds": 0.2 * each,
            }
            for each in range(active + idle)
        ],
    }
