"""The network between site and server stalls, and is cut, in mid-run."""

from __future__ import annotations

from loadtests._checks import connects_while_away, failed_outside_at_most, recovers_within
from loadtests._scenario import Disturbance, Scenario, Stage
from loadtests._world import World

SCENARIO = Scenario(
    question="When the network to the server stalls, and later is cut for four seconds, is the "
    "site well again soon after it is back, and how many connects does it try meanwhile?",
    stages=(Stage(40, users=40, spawn_rate=40),),
    visitors={"Browser": 6, "Buyer": 3, "Analyst": 1},
    behind="proxy",
    disturbances=(
        Disturbance(at=8, what="stall", begin=World.stall, end=World.mend, seconds=3),
        Disturbance(at=20, what="cut", begin=World.cut, end=World.mend, seconds=4),
    ),
    passes=(failed_outside_at_most(0), recovers_within(4), connects_while_away(5)),
)
