"""The part of a scenario that Locust plays: its visitors, its stages, and notes of every answer.

A locustfile, which ``loadtests._play`` starts. The environment has the scenario's name
(``LOADTESTS_SCENARIO``), how many minutes it is to last (``LOADTESTS_MINUTES``, or nothing), and
where the leading process leaves what it saw (``LOADTESTS_FIGURES``).
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any, cast

from locust import HttpUser, LoadTestShape, between, events
from locust.env import Environment
from locust.runners import WorkerRunner

# Locust may be started in any folder; the suite needs its neighbours.
sys.path.append(str(Path(__file__).resolve().parent.parent))

from loadtests import _visitors, scenarios
from loadtests._notes import Notes

SCENARIO = scenarios.load(os.environ["LOADTESTS_SCENARIO"])
if os.environ.get("LOADTESTS_MINUTES"):
    SCENARIO = SCENARIO.lasting(float(os.environ["LOADTESTS_MINUTES"]))


def visitor(name: str) -> type[HttpUser]:
    """Its class, as often and with such pauses as the scenario says."""
    own = {"weight": SCENARIO.visitors[name], "wait_time": between(*SCENARIO.pause)}
    return type(name, (getattr(_visitors, name),), own)


globals().update({name: visitor(name) for name in SCENARIO.visitors})


class Stages(LoadTestShape):
    """The scenario's table."""

    def tick(self) -> tuple[int, float] | None:
        passed: float = cast(Any, self).get_run_time()
        for stage in SCENARIO.stages:
            if passed < stage.seconds:
                return stage.users, stage.spawn_rate
            passed -= stage.seconds
        return None


class Lead:
    """On the process that leads: tell when it begins, and at the end what was seen."""

    def __init__(self, environment: Environment, notes: Notes) -> None:
        self._environment, self._notes = environment, notes
        self._file = Path(os.environ["LOADTESTS_FIGURES"])
        self._began = 0.0
        environment.process_exit_code = 0  # who reads the file judges

    def test_start(self, **_: Any) -> None:
        self._began = time.time()
        self._write({"began": self._began})

    def quit(self, **_: Any) -> None:
        stats, runner = self._environment.stats, self._environment.runner
        assert runner is not None
        asked = [
            [each.name, each.num_requests, each.num_failures]
            + [each.get_response_time_percentile(part) for part in (0.5, 0.95, 0.99)]
            for each in stats.entries.values()
        ]
        self._write(
            {
                "began": self._began,
                "rows": self._notes.as_rows(),
                "asked": sorted(asked),
                "failures": [
                    [f"{each.method} {each.name}: {each.error}", each.occurrences]
                    for each in stats.errors.values()
                ],
                "errors": sum(seen["count"] for seen in runner.exceptions.values()),
            }
        )

    def _write(self, figures: dict[str, Any]) -> None:
        part = self._file.with_suffix(".part")
        part.write_text(json.dumps(figures))
        part.replace(self._file)


def take_notes(environment: Environment, **_: Any) -> None:
    notes, told = Notes(), cast(Any, environment.events)
    told.request.add_listener(notes.note)
    if isinstance(environment.runner, WorkerRunner):
        told.report_to_master.add_listener(notes.hand_over)
        return
    lead = Lead(environment, notes)
    told.worker_report.add_listener(notes.take_over)
    told.test_start.add_listener(lead.test_start)
    told.quit.add_listener(lead.quit)


cast(Any, events).init.add_listener(take_notes)
