"""The scenarios, one to a module, which has its declaration as ``SCENARIO``.

Their names are those of the modules. Locust reads these files too, when it is given the folder
``loadtests/``; there is nothing for it in them.
"""

from __future__ import annotations

from importlib import import_module

from loadtests._scenario import Scenario

#: In the order in which ``all`` runs them.
NAMES = (
    "cold_start",
    "steady",
    "spike",
    "slow_query",
    "long_transaction",
    "mixed",
    "kill_churn",
    "server_restart",
    "network_cut",
    "workers_restart",
    "soak",
    "beyond_one_machine",
)


def load(name: str) -> Scenario:
    scenario: Scenario = import_module(f"{__name__}.{name}").SCENARIO
    return scenario
