"""More slow queries than connections."""

from __future__ import annotations

from loadtests._checks import (
    failed_at_most,
    nobody_timed_out,
    p95_at_most,
    pools_were_exhausted,
)
from loadtests._scenario import Scenario, Stage

SCENARIO = Scenario(
    question="When queries of a second take every connection, do all others get one in their turn?",
    stages=(Stage(30, users=60, spawn_rate=30),),
    # 30 ask for a second each, on 16 connections: a turn takes about two seconds.
    visitors={"Slow": 1, "Browser": 1},
    passes=(failed_at_most(0), p95_at_most(10), pools_were_exhausted(), nobody_timed_out()),
)
