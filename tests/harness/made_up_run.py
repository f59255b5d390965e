"""Runs of scenarios that have never been: all is well in them but for what is changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loadtests import scenarios
from loadtests._judge import Moment, Sampling, Sessions
from loadtests._run import Answers, Asked, PoolMoment, PoolsAtEnd, Run, Second, Span
from loadtests._scenario import Scenario

BEGAN = 1_767_322_800.0
EVIL = "<script>document.title = 'evil'</script><img src=x onerror=\"document.title = 'evil'\">"
NAMES = ("shop-1", "shop-2")


def run(name: str, **changed: Any) -> Run:
    """Of the scenario of this *name*: it passes, unless *changed* has other fields."""
    scenario = scenarios.load(name)
    whole = range(int(scenario.seconds))
    bouncer = scenario.behind == "pgbouncer"
    fields: dict[str, Any] = {
        "scenario": scenario,
        "began": BEGAN,
        "seconds": answers(scenario),
        "sampling": sampling(
            scenario,
            series=[
                Moment(int(BEGAN) + at, total=4, active=3, in_transaction=4, most=2, clients=4)
                for at in whole
            ],
            last={} if bouncer else {each: Sessions(2, 2) for each in NAMES},
        ),
        "pools": tuple(
            PoolMoment(at, in_use=3, idle=1, waiting=at % 7, moving=1, most_in_use=2)
            for at in whole
        ),
        "memory": tuple((float(at), 120.0) for at in whole),
        "end": end(),
        "disturbed": tuple(
            Span(each.what, each.at, each.at + each.seconds, each.at + each.seconds + each.settling)
            for each in scenario.disturbances
        ),
        "asked": (Asked("/products/", 900, 0, 8, 30, 60),),
        **changed,
    }
    return Run(**fields)


def answers(
    scenario: Scenario, bad: Mapping[int, Answers] | None = None, each: int = 40
) -> tuple[Second, ...]:
    """*each* in a second from every site, four times as many from the second one; *bad* seconds
    from the first."""
    found = []
    for at in range(int(scenario.seconds)):
        for site in range(len(scenario.sites)):
            well = Answers(times={8: each * (4 if site else 1)})
            found.append(Second(at, site, (bad or {}).get(at, well) if site == 0 else well))
    return tuple(found)


def sampling(scenario: Scenario, **changed: Any) -> Sampling:
    fields: dict[str, Any] = {
        "samples": int(scenario.seconds * 20),
        "median_ms": 50.0,
        "longest_gap_ms": 130.0,
        "peak": {name: Sessions(2, 2, 2, 2) for name in NAMES},
        **changed,
    }
    return Sampling(**fields)


def end(**changed: Any) -> PoolsAtEnd:
    fields: dict[str, Any] = {
        "open": dict.fromkeys(NAMES, 2),
        "checkouts": 2000,
        "connects": 4,
        "failed_connects": 10,
        "waits": 12,
        "discards": {"unfit": 60, "lifetime": 9},
        **changed,
    }
    return PoolsAtEnd(**fields)
