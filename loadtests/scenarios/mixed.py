"""RELEASE "request" and "transaction" beside each other."""

from __future__ import annotations

from loadtests._checks import failed_at_most, serves_times
from loadtests._scenario import Scenario, Site, Stage

SCENARIO = Scenario(
    question="Where requests wait for something else than the database, how many times more does "
    'RELEASE "transaction" serve on the same few connections?',
    # Half of them on each site, at the same time: what the machine does else, it does to both. It is
    # little work: "request" can serve two in a second, "transaction" all who are there.
    stages=(Stage(30, users=48, spawn_rate=48),),
    visitors={"Waiter": 1},
    sites=(
        Site("RELEASE request", workers=1, max_conns=2, reuse_conns=2),
        Site("RELEASE transaction", workers=1, max_conns=2, reuse_conns=2, release="transaction"),
    ),
    passes=(serves_times(site=1, other=0, times=3), failed_at_most(0)),
)
