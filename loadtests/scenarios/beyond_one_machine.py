"""Several sites and several Locust workers on one PgBouncer."""

from __future__ import annotations

from loadtests._checks import failed_at_most, p95_at_most
from loadtests._scenario import Scenario, Site, Stage

SCENARIO = Scenario(
    question="When two sites of two processes each share a PgBouncer of ten connections, is the "
    "budget held in every sample: ten on the server, and MAX_CONNS clients for each process?",
    stages=(Stage(30, users=60, spawn_rate=30),),
    visitors={"Browser": 6, "Buyer": 3, "Analyst": 2, "Payer": 2, "Stumbler": 1},
    sites=(Site("site A"), Site("site B")),
    behind="pgbouncer",
    pool_size=10,
    locust_processes=2,
    passes=(failed_at_most(0), p95_at_most(5)),
)
