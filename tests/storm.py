"""A storm on a real server: kills, Timeouts, ended sessions and restarts, all at random.

``python -m tests.storm --minutes 10``, with the driver and the hub that are installed. The server
itself refuses the pool's role more than MAX_CONNS sessions, and whoever sees that refusal has seen
the limit broken, however short the moment was. Each answer carries what was asked for, so that
nobody can get another's rows unnoticed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import random
import sys
import time
from collections import Counter
from typing import Any

from . import plugin_hub  # patches, before anything else is imported
from .plugin_proxy import RestartableServer
from .tasks import HubTask, pause, spawn, until

GREENLETS = 50
MAX_CONNS = 8
ALIAS, ADMIN = "default", "admin"
#: Seconds between two restarts of the server.
RESTART_EVERY = 20.0


class Timeout(BaseException):
    """Set by configure() to the hub's own."""


def configure(server: RestartableServer, reset: str) -> None:
    import django
    from django.conf import settings

    admin = {**server.settings, "ENGINE": "django.db.backends.postgresql"}
    pooled = {
        **server.settings,
        "ENGINE": "django_db_geventpool.backends.postgresql_psycopg",
        "USER": "storm",
        "OPTIONS": {
            "MAX_CONNS": MAX_CONNS,
            "REUSE_CONNS": MAX_CONNS // 2,
            "MAX_IDLE": 1,
            "MAX_LIFETIME": 10,
            "WAIT_TIMEOUT": 10,
            "RESET": reset,
        },
    }
    settings.configure(DATABASES={ALIAS: pooled, ADMIN: admin}, INSTALLED_APPS=[], USE_TZ=True)
    django.setup()
    logging.getLogger("django_db_geventpool").setLevel("ERROR")
    password = server.settings["PASSWORD"]
    admin_execute(f"CREATE ROLE storm LOGIN PASSWORD '{password}' CONNECTION LIMIT {MAX_CONNS}")
    admin_execute("GRANT pg_signal_backend TO storm")
    admin_execute("CREATE TABLE entry (token text)")
    admin_execute("GRANT ALL ON entry TO storm")


def admin_execute(sql: str) -> list[tuple[Any, ...]]:
    """On a connection of its own each time: the server may have been restarted."""
    from django.db import connections

    try:
        with connections[ADMIN].cursor() as cursor:
            cursor.execute(sql)
            rows: list[tuple[Any, ...]] = cursor.fetchall() if cursor.description else []
            return rows
    finally:
        connections[ADMIN].close()


class Storm:
    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.over = False
        self.restarting = False
        self._tokens = iter(range(10**12))

    # -- what the programs do

    def program(self) -> None:
        """One greenlet's life: some statements, and an end of one of the usual kinds."""
        from django.db import close_old_connections, connection

        for _ in range(random.randint(1, 4)):
            try:
                self.statement()
            except Timeout:
                self.counts["timeouts"] += 1
            except Exception as error:
                self.judge(error)
            if random.random() < 0.7:
                random.choice((close_old_connections, connection.close))()
        # Else the pool has to notice that this greenlet is over.

    def statement(self) -> None:
        token = f"token {next(self._tokens)}"
        ask = random.choice((self.plain, self.plain, self.slow, self.many, self.transaction))
        if random.random() < 0.3:
            with limit(random.uniform(0.0005, 0.08)):
                ask(token)
        else:
            ask(token)
        self.counts["statements answered"] += 1

    def expect(self, token: str, rows: list[tuple[Any, ...]], number: int = 1) -> None:
        if rows != [(token,)] * number:
            self.counts["foreign rows"] += 1

    def plain(self, token: str) -> None:
        self.expect(token, query("SELECT %s", token))

    def slow(self, token: str) -> None:
        self.expect(token, query("SELECT %s FROM pg_sleep(%s)", token, random.uniform(0, 0.1)))

    def many(self, token: str) -> None:
        self.expect(token, query("SELECT %s FROM generate_series(1, 3000)", token), 3000)

    def transaction(self, token: str) -> None:
        from django.db import transaction

        with transaction.atomic():
            query("INSERT INTO entry VALUES (%s) RETURNING token", token)
            self.expect(token, query("SELECT token FROM entry WHERE token = %s", token))
            if random.random() < 0.5:
                transaction.set_rollback(True)

    def judge(self, error: Exception) -> None:
        """Errors are expected of statements whose session was ended; but not these."""
        text = str(error)
        if "too many connections for role" in text:
            self.counts["refused over MAX_CONNS"] += 1
        elif "due to user request" in text:
            self.counts["foreign cancels"] += 1
        elif "no connection became free" in text:
            self.counts["pool timeouts"] += 1
        else:
            from django.db import InterfaceError, OperationalError, ProgrammingError

            # ProgrammingError: a Timeout left its atomic block without a connection.
            known = isinstance(error, (OperationalError, InterfaceError, ProgrammingError))
            name = type(error).__name__
            self.counts[f"failed with {name}" if known else f"unexpected {name}: {text}"] += 1

    # -- the weather

    def keep_alive(self, number: int) -> None:
        """Start another program where one has ended."""
        tasks: list[HubTask] = []
        while not self.over:
            tasks = [task for task in tasks if task.running]
            while len(tasks) < number:
                tasks.append(spawn(self.program))
                self.counts["greenlets"] += 1
            if random.random() < 0.5:
                random.choice(tasks).kill()
                self.counts["kills"] += 1
            pause(random.uniform(0, 0.01))
        for task in tasks:
            task.join()

    def end_sessions(self) -> None:
        while not self.over:
            pause(random.uniform(0.2, 1))
            if not self.restarting:
                self.sample(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE usename = 'storm' ORDER BY random() LIMIT 2"
                )
                self.counts["sessions ended"] += 1

    def watch(self) -> None:
        while not self.over:
            pause(0.05)
            rows = self.sample("SELECT count(*) FROM pg_stat_activity WHERE usename = 'storm'")
            if rows:
                self.counts["samples"] += 1
                self.counts["peak sessions"] = max(self.counts["peak sessions"], rows[0][0])

    def sample(self, sql: str) -> list[tuple[Any, ...]]:
        try:
            return admin_execute(sql)
        except Exception:
            return []  # it is just being restarted

    def restart(self, server: RestartableServer) -> None:
        began = time.monotonic()
        while not self.over:
            pause(0.1)
            if time.monotonic() - began >= RESTART_EVERY:
                self.restarting = True
                server.restart(random.choice(("fast", "immediate")))
                self.restarting = False
                self.counts["restarts"] += 1
                began = time.monotonic()


def query(sql: str, *params: object) -> list[tuple[Any, ...]]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def limit(seconds: float) -> Any:
    global Timeout
    if plugin_hub.HUB == "gevent":
        from gevent import Timeout as hub_timeout
    else:
        from eventlet import Timeout as hub_timeout
    Timeout = hub_timeout  # type: ignore[misc]
    return hub_timeout(seconds)


def slots_lost() -> int:
    """How many of MAX_CONNS cannot be borrowed at the same time, now that all is calm."""
    from django.db import OperationalError, connection

    pool = connection.geventpool
    until(lambda: pool.stats().in_use + pool.stats().opening + pool.stats().closing == 0)
    borrowed: list[int] = []
    done: list[bool] = []

    def borrow() -> None:
        try:
            query("SELECT 1")
        except OperationalError:  # the storm's last pg_terminate_backend was on its way to it
            connection.close()
            query("SELECT 1")
        borrowed.append(1)
        until(lambda: done)

    tasks = [spawn(borrow) for _ in range(MAX_CONNS)]
    with contextlib.suppress(AssertionError):
        until(lambda: len(borrowed) == MAX_CONNS)
    done.append(True)
    for task in tasks:
        if (error := task.error()) is not None:
            print(f"not borrowed: {error!r}; {pool.stats()}")
    return MAX_CONNS - len(borrowed)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.storm")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reset", choices=("rollback", "discard"), default="rollback")
    parser.add_argument("--json", metavar="FILE", help="store the figures")
    options = parser.parse_args()
    random.seed(options.seed)
    server = RestartableServer()
    try:
        configure(server, options.reset)
        storm = Storm()
        weather = [
            spawn(storm.keep_alive, GREENLETS),
            spawn(storm.end_sessions),
            spawn(storm.watch),
            spawn(storm.restart, server),
        ]
        pause(options.minutes * 60)
        storm.over = True
        for task in weather:
            task.result()
        lost = slots_lost()
    finally:
        server.end()
    return report(storm.counts, lost, options)


def report(counts: Counter[str], lost: int, options: argparse.Namespace) -> int:
    bad = {name: number for name, number in counts.items() if name.startswith("unexpected")}
    for name in ("foreign rows", "foreign cancels", "refused over MAX_CONNS"):
        bad[name] = counts.pop(name, 0)
    bad["slots lost"] = lost
    bad["sessions over MAX_CONNS"] = max(0, counts["peak sessions"] - MAX_CONNS)
    figures = {"minutes": options.minutes, "greenlets at once": GREENLETS, **counts, **bad}
    for name, number in figures.items():
        print(f"{name:32}{number:>10}")
    passed = not any(bad.values()) and counts["statements answered"] > 0
    print(f"STORM: {'passed' if passed else 'failed'}")
    if options.json:
        with open(options.json, "w") as file:
            json.dump(figures, file, indent=1)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
