"""Plays a scenario: starts its world and Locust, disturbs, watches, and puts together the run."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from loadtests._pools import Pools
from loadtests._run import Answers, Asked, Run, Second, Span
from loadtests._sampling import SamplerProcess
from loadtests._scenario import Scenario
from loadtests._world import World, world
from matrix import ROOT
from matrix.processes import free_port

#: How the names of the site's sessions begin, and those of the demo's processes.
PREFIX = "shop-"
#: Seconds for Locust, and for its workers elsewhere, to begin.
START_TIMEOUT = 90.0
#: Seconds after its last stage in which Locust must have ended.
END_TIMEOUT = 60.0
POLL = 0.05


class Trouble(Exception):
    """The load cannot be made, or not to its end; the message says why."""


def play(name: str, scenario: Scenario, host: str, arguments: Sequence[str], log: IO[str]) -> Run:
    """
    :param scenario: that of this *name*, perhaps made longer.
    :param host: see :func:`world`.
    :param arguments: more for Locust.
    :param log: a file for what the sites and Locust say.
    """
    with world(scenario, host, log) as made:
        bouncer = scenario.behind == "pgbouncer"
        sampler = SamplerProcess(
            made.server,
            # PgBouncer's sessions are named after the client that they serve, or nobody.
            "" if bouncer else PREFIX,
            scenario.pool_size if bouncer else max(site.reuse_conns for site in scenario.sites),
            "--series",
            *(["--outages"] if scenario.behind == "restartable" else []),
            console=made.console,
        )
        pools = Pools([site.url for site in made.sites], PREFIX)
        spans: list[Span] = []
        trouble = ""
        with locust(name, scenario, made, arguments, log) as load:
            try:
                began = load.wait_for_begin()
                spans = disturb(scenario, made, began, load)
                load.wait_for_end(scenario)
            except Trouble as problem:
                trouble = str(problem)
            figures = load.figures()
        end = pools.finish()
        sampling = sampler.finish()
    began = figures.get("began", time.time())
    return Run(
        scenario=scenario,
        began=began,
        seconds=tuple(
            Second(at - began, site, Answers(failed, {int(ms): n for ms, n in times.items()}))
            for at, site, failed, times in figures.get("rows", [])
        ),
        sampling=sampling,
        pools=pools.moments(began),
        memory=pools.memory(began),
        end=end,
        disturbed=tuple(spans),
        asked=tuple(Asked(*each) for each in figures.get("asked", [])),
        failures=tuple((what, count) for what, count in figures.get("failures", [])),
        errors=figures.get("errors", 0),
        trouble=trouble,
    )


class Load:
    """Locust, under way."""

    def __init__(self, process: subprocess.Popen[str], file: Path) -> None:
        self._process, self._file = process, file

    @property
    def is_over(self) -> bool:
        return self._process.poll() is not None

    def figures(self) -> dict[str, Any]:
        return dict(json.loads(self._file.read_text())) if self._file.exists() else {}

    def wait_for_begin(self) -> float:
        """When it began, in Unix time.

        :raises Trouble: if it does not.
        """
        deadline = time.monotonic() + START_TIMEOUT
        while not self._file.exists():
            if self.is_over or time.monotonic() > deadline:
                raise Trouble("Locust did not begin")
            time.sleep(POLL)
        return float(self.figures()["began"])

    def wait_for_end(self, scenario: Scenario) -> None:
        """:raises Trouble: if it does not end in order."""
        try:
            code = self._process.wait(scenario.seconds + END_TIMEOUT)
        except subprocess.TimeoutExpired:
            raise Trouble("Locust did not end in time") from None
        if code:
            raise Trouble(f"Locust ended with code {code}")


@contextlib.contextmanager
def locust(
    name: str, scenario: Scenario, made: World, arguments: Sequence[str], log: IO[str]
) -> Iterator[Load]:
    """Locust's processes, which do not outlive the block."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "figures.json"
        hosts = ",".join(site.url for site in made.sites)
        process = subprocess.Popen(
            command(["-H", hosts, *distribution(scenario, arguments), *arguments]),
            cwd=ROOT,
            env={**environ(name, scenario), "LOADTESTS_FIGURES": str(file)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # a Ctrl-C is for us; we then end Locust in order
        )
        try:
            yield Load(process, file)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def command(arguments: Sequence[str]) -> list[str]:
    stages = str(ROOT / "loadtests" / "_stages.py")
    quiet = ["--headless", "--only-summary", "--loglevel", "WARNING"]
    return [sys.executable, "-m", "locust", "-f", stages, *quiet, *arguments]


def distribution(scenario: Scenario, arguments: Sequence[str]) -> list[str]:
    """Workers of Locust on this machine, unless they are asked for elsewhere."""
    if not scenario.locust_processes or "--master" in arguments:
        return []
    port = str(free_port())  # Locust's own may be another run's
    ports = ["--master-port", port, "--master-bind-port", port]
    return ["--processes", str(scenario.locust_processes), *ports]


def environ(name: str, scenario: Scenario | None = None) -> dict[str, str]:
    """For ``loadtests._stages``."""
    minutes = "" if scenario is None else str(scenario.seconds / 60)
    return {**os.environ, "LOADTESTS_SCENARIO": name, "LOADTESTS_MINUTES": minutes}


def disturb(scenario: Scenario, made: World, began: float, load: Load) -> list[Span]:
    """Do what the scenario says at its time; returns when the last one is over.

    :param began: in Unix time.
    """
    spans = []
    for each in scenario.disturbances:
        pause_until(began + each.at, load)
        begin = time.time() - began
        each.begin(made)
        pause_until(began + begin + each.seconds, load)
        if each.end is not None:
            each.end(made)
        end = time.time() - began
        spans.append(Span(each.what, begin, end, end + each.settling))
    return spans


def pause_until(when: float, load: Load) -> None:
    """:raises Trouble: if Locust has ended meanwhile."""
    while time.time() < when:
        if load.is_over:
            raise Trouble("Locust ended early")
        time.sleep(POLL)
