"""Requests whose client hangs up, and requests that a timeout kills."""

from __future__ import annotations

from loadtests._checks import failed_at_most, nobody_timed_out, unfit_were_dropped
from loadtests._scenario import Scenario, Stage

SCENARIO = Scenario(
    question="When clients hang up in mid-request and timeouts kill requests in mid-query, again "
    "and again, is no slot lost and no query left running?",
    stages=(Stage(25, users=30, spawn_rate=30),),
    visitors={"HangsUp": 1, "TimedOut": 2, "Browser": 2, "Buyer": 1},
    passes=(failed_at_most(0), unfit_were_dropped(50), nobody_timed_out()),
)
