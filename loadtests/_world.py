"""What a scenario is played on, and how that is disturbed: a server, what is before it, sites."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import IO

from demo import run
from loadtests._processes import processes
from loadtests._scenario import Scenario
from matrix import postgres
from matrix.processes import free_port
from matrix.program import Program

#: Seconds for gunicorn to replace its workers.
WORKERS_TIMEOUT = 30.0


@dataclass(frozen=True)
class World:
    server: postgres.Server
    """Where sessions are counted."""
    front: postgres.Server
    """Where the sites log in."""
    program: Program | None
    """What can be disturbed: a proxy, or a server that can be restarted."""
    sites: tuple[run.Site, ...] = ()

    @property
    def console(self) -> postgres.Server | None:
        """PgBouncer's, where there is one."""
        return None if self.front.direct is None else replace(self.front, dbname="pgbouncer")

    def restart_server(self) -> None:
        """As an administrator does; returns when it serves again."""
        self._tell("fast")

    def crash_server(self) -> None:
        self._tell("immediate")

    def stall(self) -> None:
        """The network passes nothing on and cuts nothing."""
        self._tell("deaf")

    def cut(self) -> None:
        """The network ends every connection and refuses new ones."""
        self._tell("stop")

    def mend(self) -> None:
        self._tell("start")

    def restart_workers(self) -> None:
        """gunicorn's reload: the old ones end what they have begun; returns when new ones serve."""
        for site in self.sites:
            before = workers_of(site)
            site.process.send_signal(signal.SIGHUP)
            wait_for_workers(site, before)

    def kill_a_worker(self) -> None:
        """Of each site, without a word; returns when gunicorn's new one is there."""
        for site in self.sites:
            worker = min(workers_of(site))
            os.kill(worker, signal.SIGKILL)
            wait_for_workers(site, {worker})

    def _tell(self, word: str) -> None:
        assert self.program is not None
        self.program.tell(word)


def workers_of(site: run.Site) -> set[int]:
    return {each.pid for each in processes() if each.parent == site.process.pid}


def wait_for_workers(site: run.Site, gone: set[int]) -> None:
    """Until others stand for those who are *gone*, and answer; or they have had their time."""
    deadline = time.monotonic() + WORKERS_TIMEOUT
    while time.monotonic() < deadline:
        workers = workers_of(site)
        if not workers & gone and len(workers) >= len(gone) and site.answers():
            return
        time.sleep(0.1)


@contextmanager
def world(scenario: Scenario, host: str, log: IO[str]) -> Iterator[World]:
    """It runs for the time of the block.

    :param host: where the sites listen; what makes the load must reach it by that name.
    :param log: a file for what the sites say.
    :raises ServerUnavailable:
    :raises SiteUnavailable:
    """
    with ExitStack() as stack:
        made = stack.enter_context(behind(scenario))
        bouncer = {"DEMO_PGBOUNCER": "yes"} if scenario.behind == "pgbouncer" else {}
        sites = tuple(
            stack.enter_context(
                run.started(
                    made.front.url, f"{host}:{free_port()}", {**site.environ, **bouncer}, log
                )
            )
            for site in scenario.sites
        )
        yield replace(made, sites=sites)


@contextmanager
def behind(scenario: Scenario) -> Iterator[World]:
    """The world without sites."""
    if scenario.behind == "restartable":
        with program("matrix.restartable") as one:
            port, password = one.read().split()
            server = postgres.Server(
                "127.0.0.1",
                int(port),
                "postgres",
                password,
                "postgres",
                "one that can be restarted",
            )
            yield World(server, server, one)
    elif scenario.behind == "proxy":
        with (
            postgres.server() as server,
            program("matrix.proxy", server.host, str(server.port)) as one,
        ):
            yield World(server, replace(server, host="127.0.0.1", port=int(one.read())), one)
    elif scenario.behind == "pgbouncer":
        environ = {"PGBOUNCER_POOL_SIZE": str(scenario.pool_size)}
        with (
            postgres.embedded(os.environ) as server,
            postgres.pgbouncer(server, {**os.environ, **environ}) as front,
        ):
            yield World(server, front, None)
    else:
        with postgres.server() as server:
            yield World(server.direct or server, server, None)


@contextmanager
def program(module: str, *arguments: str) -> Iterator[Program]:
    one = Program(module, *arguments)
    try:
        yield one
    finally:
        one.end()
