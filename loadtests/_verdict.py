"""Hooks the verdict into Locust: checks before the start, sampling, the judgement.

Only the process that leads takes part, the master or the only one; workers just make load.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from locust.env import Environment
from locust.runners import WorkerRunner

from loadtests import _inputs, _options
from loadtests._judge import Limits, Load, Sampling, judge, summary, table
from loadtests._pool_tab import PoolTab
from loadtests._sampling import SamplerProcess
from matrix import postgres

#: Seconds for the workers of ``--processes`` to report to their master.
WORKERS_TIMEOUT = 10.0


def hook_in(events: Any) -> None:
    events.init_command_line_parser.add_listener(_options.add)
    events.init.add_listener(lead)


def lead(environment: Environment, **_: Any) -> None:
    """On the leading process: check the inputs, then watch every test."""
    if isinstance(environment.runner, WorkerRunner):
        return
    try:
        database = _inputs.database()
        watch = Watch(environment, database)
        watch.site()
        watch.check_file()
    except _inputs.Unusable as problem:
        print(f"error: {problem}", file=sys.stderr)
        dismiss_workers(environment)
        sys.exit(2)
    events: Any = environment.events
    events.test_start.add_listener(watch.test_start)
    events.test_stop.add_listener(watch.test_stop)
    events.quitting.add_listener(watch.quitting)
    events.quit.add_listener(watch.quit)
    if environment.web_ui is not None:
        options: Any = environment.parsed_options
        tab = PoolTab(database, watch.host)
        tab.add_to(environment.web_ui, events, options.web_base_path)


def dismiss_workers(environment: Environment) -> None:
    """Those of ``--processes`` are started already, and would wait a minute for their master."""
    runner: Any = environment.runner
    options: Any = environment.parsed_options
    deadline = time.monotonic() + WORKERS_TIMEOUT
    while options.processes and len(runner.clients) < options.processes:
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    runner.quit()


class Test(NamedTuple):
    """One that is under way."""

    limits: Limits
    sampler: SamplerProcess
    started: float


class Watch:
    """From each test's start to its verdict."""

    def __init__(self, environment: Environment, database: postgres.Server) -> None:
        self._environment = environment
        self._options: Any = environment.parsed_options
        self._runner: Any = environment.runner
        self._database = database
        self._lock = threading.Lock()
        self._test: Test | None = None
        self._report = ""

    def host(self) -> str:
        """As it is now: the web interface can name another one for each test."""
        classes = self._environment.user_classes
        return self._environment.host or next((c.host for c in classes if c.host), "")

    def site(self) -> _inputs.Site:
        return _inputs.site(self.host())

    def check_file(self) -> None:
        """:raises Unusable: if the figures could not be stored at the end."""
        path = self._options.verdict_json
        try:
            if path:
                Path(path).touch()
        except OSError as problem:
            raise _inputs.Unusable(f"--verdict-json {path}: {problem.strerror}.") from None

    def test_start(self, **_: Any) -> None:
        self._environment.process_exit_code = 1  # until the verdict says otherwise
        try:
            site = self.site()
        except _inputs.Unusable as problem:
            print(f"error: {problem} There will be no verdict.", file=sys.stderr)
            return
        limits = _options.limits(self._options, site)
        sampler = SamplerProcess(self._database, site.application_name, limits.reuse_conns)
        self._test = Test(limits, sampler, time.monotonic())

    def test_stop(self, **_: Any) -> None:
        # A master that quits says so before it has told its workers: then ``quitting`` concludes.
        if self._runner.user_count == 0:
            self._conclude()

    def quitting(self, **_: Any) -> None:
        self._runner.quit()
        self._conclude()

    def quit(self, **_: Any) -> None:
        """The very end, after Locust's own figures."""
        if self._report:
            print(self._report, flush=True)

    def _conclude(self) -> None:
        """Judge the test that has ended; a second caller waits for the first."""
        with self._lock:
            test, self._test = self._test, None
            if test is not None:
                load = self._load(time.monotonic() - test.started)
                self._judge(load, test.sampler.finish(), test.limits)

    def _load(self, seconds: float) -> Load:
        total = self._environment.stats.total
        return Load(
            seconds=seconds,
            requests=total.num_requests,
            failure_ratio=total.fail_ratio,
            p95_ms=total.get_response_time_percentile(0.95) or 0.0,
            errors=sum(seen["count"] for seen in self._runner.exceptions.values()),
        )

    def _judge(self, load: Load, sampling: Sampling, limits: Limits) -> None:
        criteria = judge(load, sampling, limits)
        passed = all(criterion.ok for criterion in criteria)
        self._environment.process_exit_code = 0 if passed else 1
        report = f"\n{table(criteria)}\n\n{summary(criteria)}"
        if self._environment.web_ui:
            print(report, flush=True)
        else:
            self._report = report
        if self._options.verdict_json:
            figures = {
                "passed": passed,
                "criteria": [asdict(criterion) for criterion in criteria],
                "limits": asdict(limits),
                "load": asdict(load),
                "sampling": asdict(sampling),
            }
            Path(self._options.verdict_json).write_text(json.dumps(figures, indent=2) + "\n")
