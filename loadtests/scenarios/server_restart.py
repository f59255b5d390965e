"""PostgreSQL is restarted, and crashes, in mid-run."""

from __future__ import annotations

from loadtests._checks import failed_outside_at_most, recovers_within
from loadtests._scenario import Disturbance, Scenario, Stage
from loadtests._world import World

SCENARIO = Scenario(
    question="When the server is restarted in mid-run, and crashes later, how soon is the site "
    "well again by itself?",
    stages=(Stage(36, users=40, spawn_rate=40),),
    visitors={"Browser": 6, "Buyer": 3, "Analyst": 1},
    behind="restartable",
    disturbances=(
        Disturbance(at=8, what="restart", begin=World.restart_server),
        Disturbance(at=20, what="crash", begin=World.crash_server),
    ),
    passes=(failed_outside_at_most(0), recovers_within(4)),
)
