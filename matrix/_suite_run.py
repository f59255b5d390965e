"""One run of Django's suite: a process under gevent, watched from the outside."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib.metadata
import json
import os
import platform
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django_db_geventpool.drivers import cffi

from . import ROOT, _suite_source, postgres
from ._suite_results import Results, read

#: Without and with PostGIS.
ENGINES = {
    "stock": ("django.db.backends.postgresql", "django.contrib.gis.db.backends.postgis"),
    "ours": (
        "django_db_geventpool.backends.postgresql_psycopg",
        "django_db_geventpool.backends.postgis",
    ),
}
#: How often the suite goes on behind a test that ended its process, before that is a failed run.
MOST_RESTARTS = 10


class RunFailed(Exception):
    """The suite did not come to its end; the message is for a person."""


class Suite:
    """Django's tests on one server. It makes the test databases' names, and drops them."""

    def __init__(self, server: postgres.Server, options: argparse.Namespace) -> None:
        import django
        from django.conf import settings

        self.server = server
        self.options = options
        self.tests = _suite_source.tests()
        self.gis = any(app.split(".")[0] == "gis_tests" for app in options.apps)
        unknown = [app for app in options.apps if not (self.tests / app.split(".")[0]).is_dir()]
        if unknown:
            raise RunFailed(f"Django {django.get_version()} has no tests of {', '.join(unknown)}.")
        self.labels = options.apps or _suite_source.modules(self.tests)
        self.database = f"djangosuite_{os.getpid()}"
        stock = "django.db.backends.postgresql"
        cffi.install()  # or it would find no psycopg2 where psycopg2cffi stands in for it
        settings.configure(DATABASES={"default": {"ENGINE": stock, **server.django}})
        django.setup()

    def ask(self, sql: str) -> Any:
        """The first row, from a connection for this one statement."""
        from django.db import connection

        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return cursor.fetchone() if cursor.description else None
        finally:
            connection.close()

    def environment(self) -> dict[str, Any]:
        """What the outcomes depend on, besides the engine."""
        from django.db.backends.postgresql.psycopg_any import is_psycopg3

        psycopg = importlib.import_module("psycopg" if is_psycopg3 else "psycopg2")
        (server_version,) = self.ask("SHOW server_version")
        return {
            "Django": importlib.metadata.version("Django"),
            "driver": f"{psycopg.__name__} {psycopg.__version__.split()[0]}",
            "Python": platform.python_version(),
            "gevent": importlib.metadata.version("gevent"),
            "server": server_version,
            "PostGIS": self.gis,
            "apps": self.options.apps,
        }

    def drop_databases(self) -> None:
        for name in (self.database, f"{self.database}_other"):
            self.ask(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def run(
        self, side: str, environment: dict[str, Any], labels: list[str] | None = None
    ) -> Results:
        """Every test with one engine, or those of *labels*.

        :raises RunFailed: if the suite does not come to its end, within its limit of time.
        """
        began = time.monotonic()
        log = _suite_source.folder() / f"{self.database}-{side}.log"  # removed if all goes well
        with tempfile.TemporaryDirectory() as temporary, open(log, "wb") as output:
            record = Path(temporary) / "record"
            for _ in range(MOST_RESTARTS + 1):
                self.drop_databases()
                try:
                    code = self.process(
                        side, labels or self.labels, record, output, began + self.options.limit
                    )
                finally:
                    self.drop_databases()
                outcomes, details, complete = read(lines(record))
                if complete:
                    date = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
                    log.unlink()
                    seconds = round(time.monotonic() - began, 1)
                    return Results(environment, outcomes, details, seconds, date)
                last = list(outcomes)[-1:]
                if not last or outcomes[last[0]] != "started":
                    where = f"after {last[0]}" if last else "before the first test"
                    raise RunFailed(f"{side}: the process ended with {code}, {where}; see {log}")
                print(f"{side}: the process ended with {code} in {last[0]}; going on", flush=True)
                detail = f"its process ended with {code}"
                entry = {"test": last[0], "outcome": "cut short", "detail": detail}
                with open(record, "a", encoding="utf-8") as file:
                    file.write(json.dumps(entry) + "\n")
        raise RunFailed(f"{side}: {MOST_RESTARTS + 1} processes ended before their time: {log}")

    def pool_options(self, side: str) -> dict[str, str]:
        return {"RELEASE": self.options.release} if side == "ours" else {}

    def process(
        self, side: str, labels: list[str], record: Path, output: Any, deadline: float
    ) -> int:
        """One process of runtests.py under gevent; its exit code."""
        monkey = [sys.executable, "-m", "gevent.monkey", "runtests.py"]
        options = ["--settings=matrix._suite_settings", "--noinput", "--parallel=1"]
        process = subprocess.Popen(
            [*monkey, *options, *labels],
            cwd=self.tests,
            env={
                **os.environ,
                # The package as it is installed, and only the rest from here.
                "PYTHONPATH": os.pathsep.join([sysconfig.get_path("purelib"), str(ROOT)]),
                "PYTHONHASHSEED": "0",
                "DATABASE_URL": self.server.url,
                "DJANGOSUITE_ENGINE": ENGINES[side][self.gis],
                "DJANGOSUITE_OPTIONS": json.dumps(self.pool_options(side)),
                "DJANGOSUITE_DATABASE": self.database,
                "DJANGOSUITE_RECORD": str(record),
                "DJANGOSUITE_TEST_LIMIT": str(self.options.test_limit),
            },
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # its children end with it, and a Ctrl-C is for us
        )
        try:
            return process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            last = list(read(lines(record))[0])[-1:]
            raise RunFailed(
                f"{side}: not at its end after {self.options.limit:.0f} s; the last test: {last}; "
                f"see {output.name}"
            ) from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def lines(record: Path) -> Iterator[str]:
    """The whole lines: the last one may have been cut."""
    if record.exists():
        with open(record, encoding="utf-8") as file:
            yield from (line for line in file if line.endswith("\n"))
