"""Transactions that stay open while the site waits for something else."""

from __future__ import annotations

from loadtests._checks import failed_at_most, p95_at_most, transactions_were_seen
from loadtests._scenario import Scenario, Site, Stage

SCENARIO = Scenario(
    question="While some requests keep a transaction open for two seconds, are the others served "
    "on the connections that are left, and is no session left in a transaction?",
    stages=(Stage(30, users=48, spawn_rate=24),),
    visitors={"Holder": 1, "Browser": 5, "Buyer": 2},
    sites=(Site(release="transaction"),),
    passes=(failed_at_most(0), p95_at_most(10), transactions_were_seen(4)),
)
