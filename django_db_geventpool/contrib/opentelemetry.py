"""The pools of this process as OpenTelemetry metrics; extra ``[otel]``.

Each process exports its own, as with all of OpenTelemetry: call :func:`instrument` where its SDK is
set up, after a fork and after patching (gunicorn's ``post_worker_init``, Celery's
``worker_process_init``). The site itself needs the API alone, and without an SDK nothing happens.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from math import inf, nextafter
from weakref import WeakKeyDictionary

from opentelemetry import metrics as api

from .. import __version__, registry
from ..pool import Pool
from ..stats import BOUNDS, Histogram
from .metrics import COUNTERS, GAUGES, HISTOGRAMS, POOL_NAME, Metric, Pools

Callback = Callable[[api.CallbackOptions], Iterable[api.Observation]]

#: How many values are recorded before others may go on.
AT_ONCE = 200
_NOTHING = Histogram()
# The ends of each bucket; a bound itself belongs to the bucket that it is the upper end of.
_LOWER = (0.0, *(nextafter(bound, inf) for bound in BOUNDS))
_UPPER = (*BOUNDS, _LOWER[-1])


def instrument(meter_provider: api.MeterProvider | None = None) -> None:
    """Tell *meter_provider*, the global one if it is None, of the pools of this process.

    Nothing is done on the path of a checkout: the pool counts anyway, and is asked when the SDK
    collects. Call it once for each provider.
    """
    meter = api.get_meter("django_db_geventpool", __version__, meter_provider)
    for metric in GAUGES:
        meter.create_observable_up_down_counter(*_how(metric))
    times = _Times(meter)
    for metric in COUNTERS:
        # The API asks for no histogram: those catch up when it asks for the first counter.
        first = [times.catch_up] if metric is COUNTERS[0] else []
        meter.create_observable_counter(*_how(metric, first))


def _pools() -> Iterator[tuple[str, Pools]]:
    for pool in registry.pools():
        yield pool.name, Pools.of(pool.config, pool.stats())


def _how(
    metric: Metric, callbacks: Iterable[Callback] = ()
) -> tuple[str, list[Callback], str, str]:
    """How to create an instrument that observes it."""

    def observe(_: api.CallbackOptions) -> Iterator[api.Observation]:
        for name, pools in _pools():
            for value, attributes in metric.read(pools):
                yield api.Observation(value, {POOL_NAME: name, **attributes})

    return metric.name, [*callbacks, observe], metric.unit, metric.help


class _Times:
    """The pool's histograms, brought into instruments that only take one value after the other."""

    def __init__(self, meter: api.Meter) -> None:
        # By pool: a new one, also that of a forked child, has told nothing yet.
        self._told: WeakKeyDictionary[Pool, dict[str, Histogram]] = WeakKeyDictionary()
        self._instruments = [
            (
                metric,
                meter.create_histogram(
                    *(metric.name, metric.unit, metric.help),
                    explicit_bucket_boundaries_advisory=BOUNDS,
                ),
            )
            for metric in HISTOGRAMS
        ]

    def catch_up(self, _: api.CallbackOptions) -> Iterable[api.Observation]:
        for pool in registry.pools():
            pools, told = Pools.of(pool.config, pool.stats()), self._told.setdefault(pool, {})
            for metric, instrument in self._instruments:
                now, before = metric.read(pools), told.get(metric.name, _NOTHING)
                told[metric.name] = now
                for number, seconds in enumerate(values(since(before, now)), 1):
                    instrument.record(seconds, {POOL_NAME: pool.name})
                    if number % AT_ONCE == 0:
                        pool.hub.sleep(0)  # that is some milliseconds of work
        return ()


def since(before: Histogram, now: Histogram) -> Histogram:
    counts = tuple(new - old for old, new in zip(before.counts, now.counts))
    return Histogram(counts, now.total - before.total)


def values(histogram: Histogram) -> Iterator[float]:
    """As many values as it has counted, each in its bucket, with its total: as good as the real.

    Each lies at the same part of its bucket's width. What is longer than the last bound takes what
    is left of the total.
    """
    beyond = histogram.counts[-1]
    least = sum(map(operator.mul, histogram.counts, _LOWER))
    room = sum(map(operator.mul, histogram.counts, _UPPER)) - least
    part = min(1.0, max(0.0, (histogram.total - least) / room)) if room > 0 else 0.0
    rest = max(0.0, histogram.total - least - part * room) / beyond if beyond else 0.0
    for count, low, high in zip(histogram.counts, _LOWER, _UPPER):
        value = low + part * (high - low) + (rest if low == _LOWER[-1] else 0.0)
        for _ in range(count):
            yield value
