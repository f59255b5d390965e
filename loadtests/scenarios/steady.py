"""A load that does not change."""

from __future__ import annotations

from loadtests._checks import failed_at_most, opened_at_most_once, p95_at_most
from loadtests._scenario import Scenario, Site, Stage

SCENARIO = Scenario(
    question="Under a steady load of every kind of request, does the site work on the connections "
    "that it has opened first?",
    stages=(Stage(30, users=60, spawn_rate=30),),
    visitors={"Browser": 6, "Buyer": 3, "Analyst": 3, "Payer": 2, "Stumbler": 1},
    sites=(Site(reuse_conns=8),),
    passes=(failed_at_most(0), p95_at_most(5), opened_at_most_once()),
)
