"""Everybody comes in the same second."""

from __future__ import annotations

from loadtests._checks import (
    everybody_was_served,
    failed_at_most,
    nobody_timed_out,
    pools_were_exhausted,
)
from loadtests._scenario import Scenario, Stage

SCENARIO = Scenario(
    question="When 1,000 users come at once to a site that has no connection open yet, is each of "
    "them served, on no more than MAX_CONNS connections for each process?",
    stages=(Stage(40, users=1000, spawn_rate=1000),),
    visitors={"Browser": 1},
    pause=(60.0, 60.0),  # each asks once
    passes=(everybody_was_served(), failed_at_most(0), pools_were_exhausted(), nobody_timed_out()),
)
