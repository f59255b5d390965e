"""The database of the site, and programs that end with the test."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any, Callable

import pytest

from .. import plugin_django
from ..scripts import ROOT
from ..tasks import until
from .running import PYTHON, Running, Start
from .versions import PACKAGES

# What was started in the background of a shell ignores Ctrl-C, and so would whatever we start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header() -> str:
    found = [f"{name} {version(name)}" for name in PACKAGES]
    if shutil.which("redis-server"):
        told = subprocess.run(["redis-server", "--version"], capture_output=True, text=True).stdout
        found += [f"Redis {number}" for number in re.findall(r"v=(\S+)", told)]
    return f"servers: {', '.join(found)}"


@pytest.fixture(scope="session")
def told() -> Iterator[IO[str]]:
    """The input of a guard, which ends what we have started if we cannot."""
    command = [*PYTHON, "-m", "tests.servers.guard"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, text=True, start_new_session=True
    ) as guard:
        assert guard.stdin is not None
        yield guard.stdin


@contextmanager
def programs(folder: Path, observer: Any, database: str, told: IO[str]) -> Iterator[Start]:
    """Start programs: ``start(*PYTHON, "-m", "gunicorn", SITE_GRACE="1")``.

    They have ended after the block, and have left no session on the server.
    """
    all_of_them: list[Running] = []
    with ExitStack() as ends:

        def run(*command: object, **environ: str) -> Running:
            one = Running(command, folder, observer, database, environ, told)
            all_of_them.append(one)
            ends.callback(one.end)
            return one

        yield run
    until(lambda: not any(one.sessions() for one in all_of_them))


@pytest.fixture(scope="session")
def site_database(
    test_database: str, tmp_path_factory: pytest.TempPathFactory, observer: Any, told: IO[str]
) -> str:
    """The URL of a database with the tables of the site."""
    url = replace(plugin_django.SERVER, dbname=test_database).url
    with programs(tmp_path_factory.mktemp("site"), observer, url, told) as run:
        migrate = run(*PYTHON, "-m", "django", "migrate", "--verbosity", "0")
        assert migrate.wait() == 0, migrate.log()
    return url


@pytest.fixture
def start(site_database: str, tmp_path: Path, observer: Any, told: IO[str]) -> Iterator[Start]:
    with programs(tmp_path, observer, site_database, told) as run:
        yield run


@pytest.fixture(scope="module")
def start_once(
    site_database: str, tmp_path_factory: pytest.TempPathFactory, observer: Any, told: IO[str]
) -> Iterator[Start]:
    """For what several tests of a module share."""
    with programs(tmp_path_factory.mktemp("site"), observer, site_database, told) as run:
        yield run


@pytest.fixture
def begun(site_database: str, test_database: str) -> Iterator[Callable[[str], set[str]]]:
    """The keys, by their first part, of all work that was begun: each has left a row."""
    from django.db import connections

    connections.settings["site"] = {**connections.settings["observer"], "NAME": test_database}

    def ask(prefix: str) -> set[str]:
        with connections["site"].cursor() as cursor:
            sql = "SELECT key FROM site_visit WHERE starts_with(key, %s)"
            cursor.execute(sql, [f"{prefix}-"])
            return {key for (key,) in cursor.fetchall()}

    yield ask
    connections["site"].close()
    del connections.settings["site"], connections["site"]
