"""Many come, and go again."""

from __future__ import annotations

from loadtests._checks import comes_back_down, failed_at_most, nobody_timed_out
from loadtests._scenario import Scenario, Stage

SCENARIO = Scenario(
    question="When eight times as many users come for some seconds, does the pool hold its limit, "
    "and is the site as fast as before when they have gone?",
    stages=(
        Stage(12, users=25, spawn_rate=25),
        Stage(12, users=200, spawn_rate=200),
        Stage(18, users=25, spawn_rate=200),
    ),
    visitors={"Browser": 6, "Buyer": 3, "Analyst": 3},
    passes=(failed_at_most(0), comes_back_down(to=2, of=0, times=2), nobody_timed_out()),
)
