"""All of it for long."""

from __future__ import annotations

from loadtests._checks import (
    comes_back_down,
    failed_at_most,
    memory_grows_at_most,
    replaced_at_least,
)
from loadtests._scenario import Scenario, Site, Stage

SCENARIO = Scenario(
    question="After minutes, or hours, of everything at once, with connections replaced all along, "
    "is the site as it was at the beginning?",
    stages=(
        Stage(15, users=40, spawn_rate=20),
        Stage(30, users=40, spawn_rate=20),  # --minutes makes this one longer
        Stage(15, users=40, spawn_rate=20),
    ),
    visitors={
        **{"Browser": 6, "Buyer": 3, "Analyst": 2, "Payer": 2, "Stumbler": 1},
        **{"Slow": 1, "Holder": 1, "HangsUp": 1, "TimedOut": 1},
    },
    # Short: with what is killed and what is surplus, few connections become as old as that.
    sites=(Site(max_lifetime=2),),
    passes=(
        failed_at_most(0),
        comes_back_down(to=2, of=0, times=2),
        memory_grows_at_most(1.2),
        replaced_at_least(8),
    ),
)
