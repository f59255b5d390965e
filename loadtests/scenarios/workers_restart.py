"""The site's workers are replaced in mid-run."""

from __future__ import annotations

from loadtests._checks import failed_outside_at_most, recovers_within
from loadtests._scenario import Disturbance, Scenario, Stage
from loadtests._world import World

SCENARIO = Scenario(
    question="When gunicorn replaces its workers in mid-run, and one is killed later, do their "
    "sessions leave the server, and are the new ones soon well?",
    stages=(Stage(40, users=40, spawn_rate=40),),
    visitors={"Browser": 6, "Buyer": 3, "Analyst": 1},
    disturbances=(
        Disturbance(at=8, what="reload", begin=World.restart_workers, settling=4),
        Disturbance(at=24, what="kill -9", begin=World.kill_a_worker),
    ),
    passes=(failed_outside_at_most(0), recovers_within(4)),
    may_reclaim=True,
)
