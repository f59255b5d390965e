"""The pools of all processes of a group as Prometheus metrics; extra ``[prometheus]``.

prometheus_client's own multiprocess mode knows values that are set one by one. A pool counts by
itself, so this is a collector, and works in either mode: every process publishes what its pools
count, and whichever of them is scraped tells it of all.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from ..stats import BOUNDS, Histogram
from . import metrics
from .group import publisher
from .metrics import POOL_NAME, Pools


class PoolCollector(Collector):
    """``registry.register(PoolCollector())``: once, in each process that has pools.

    Counters go on where a process has ended, gauges tell of those that live.
    """

    def __init__(self) -> None:
        publisher.begin()

    def describe(self) -> Iterable[Metric]:
        """So that registering does not collect."""
        return _families({})

    def collect(self) -> Iterable[Metric]:
        return _families(publisher.totals())


def _families(totals: dict[str, Pools]) -> Iterable[Metric]:
    for metric in metrics.GAUGES:
        yield _filled(GaugeMetricFamily(_name(metric.name), metric.help), metric, totals)
    for metric in metrics.COUNTERS:
        yield _filled(CounterMetricFamily(_name(metric.name), metric.help), metric, totals)
    for metric in metrics.HISTOGRAMS:
        name = f"{_name(metric.name)}_seconds"
        family = HistogramMetricFamily(name, metric.help, labels=[_name(POOL_NAME)])
        for pool, pools in totals.items():
            histogram = metric.read(pools)
            family.add_metric([pool], _buckets(histogram), histogram.total)
        yield family


def _filled(
    family: GaugeMetricFamily | CounterMetricFamily,
    metric: metrics.Metric,
    totals: dict[str, Pools],
) -> Metric:
    suffix = "_total" if isinstance(family, CounterMetricFamily) else ""
    for pool, pools in totals.items():
        for value, attributes in metric.read(pools):
            labels = {POOL_NAME: pool, **attributes}
            family.add_sample(
                family.name + suffix, {_name(key): each for key, each in labels.items()}, value
            )
    return family


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    bounds = [*map(str, BOUNDS), "+Inf"]
    return list(zip(bounds, accumulate(histogram.counts)))


def _name(name: str) -> str:
    return name.replace(".", "_")
