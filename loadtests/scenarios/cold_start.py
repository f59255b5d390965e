"""Everybody comes in the same second."""

from __future__ import annotations

from loadtests._checks import failed_at_most, nobody_timed_out, pools_were_exhausted
from loadtests._scenario import Scenario, Stage

SCENARIO = Scenario(
    question="When 1,000 users come at once to a site that has no connection open yet, is each of "
    "them served, on no more than MAX_CONNS connections for each process?",
    stages=(Stage(30, users=1000, spawn_rate=1000),),
    visitors={"Browser": 3, "Buyer": 1},
    # 1,000 arrive at once; after that a load that two cores can drive.
    pause=(10.0, 20.0),
    passes=(failed_at_most(0), pools_were_exhausted(), nobody_timed_out()),
)
