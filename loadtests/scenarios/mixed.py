"""RELEASE "request" and "transaction" beside each other."""

from __future__ import annotations

from loadtests._checks import failed_at_most, serves_times
from loadtests._scenario import Scenario, Site, Stage

SCENARIO = Scenario(
    question="Where requests wait for something else than the database, how much more does "
    'RELEASE "transaction" serve on the same few connections?',
    stages=(Stage(30, users=48, spawn_rate=48),),
    visitors={"Waiter": 1},
    sites=(
        Site("RELEASE request", workers=1, max_conns=2, reuse_conns=2),
        Site("RELEASE transaction", workers=1, max_conns=2, reuse_conns=2, release="transaction"),
    ),
    passes=(serves_times(site=1, other=0, times=3), failed_at_most(0)),
)
