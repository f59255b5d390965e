"""gunicorn's gevent workers: an application loaded before the fork, and handlers that it kills."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from . import plugin_django
from .scripts import ROOT
from .tasks import spawn, until

MISSING = [name for name in ("gunicorn", "gevent") if find_spec(name) is None]
pytestmark = pytest.mark.skipif(
    bool(MISSING),
    reason=f"not installed: {', '.join(MISSING)}; the loadtests environment of tox.ini has them",
)

# A site in one module, which asks the database as soon as it is imported: one connection is then
# in a transaction, one is idle.
SITE = """
from gevent import monkey; monkey.patch_all()
import os, sys
from django.conf import settings
from matrix.postgres import parse_url

server = parse_url(os.environ["DATABASE_URL"])
settings.configure(
    DATABASES={"default": {
        "ENGINE": "django_db_geventpool.backends.postgresql_psycopg",
        **server.django,
        "OPTIONS": {**server.options, "MAX_CONNS": 3, "application_name": os.environ["SITE_NAME"]},
    }},
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    SECRET_KEY="tests",
)
from django.core.wsgi import get_wsgi_application
application = get_wsgi_application()

from django.db import connection
from django.http import JsonResponse
from django.urls import path

def ask(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]

def session(request):
    pid = ask("SELECT pg_backend_pid() FROM pg_sleep(0.1)")  # so that others come meanwhile
    return JsonResponse({"process": os.getpid(), "session": pid})

def stay(request):
    connection.in_a_circle = connection
    try:
        return JsonResponse({"stayed": ask("SELECT pg_sleep(60)")})
    finally:
        print("a handler ends:", sys.exc_info()[0].__name__, flush=True)

urlpatterns = [path("session/", session), path("stay/", stay)]
connection.set_autocommit(False)
masters_session = ask("SELECT pg_backend_pid()")

def use_another():
    global masters_idle_session
    masters_idle_session = ask("SELECT pg_backend_pid()")
    connection.close()

import threading
thread = threading.Thread(target=use_another); thread.start(); thread.join()
"""

CONFIGURATION = """
bind = "127.0.0.1:0"
workers = 2
worker_class = "gevent"
preload_app = True
graceful_timeout = 1
control_socket_disable = True

def when_ready(server):
    import site_under_test
    print("the master's idle session:", site_under_test.masters_idle_session)
    print("the master's session:", site_under_test.masters_session, flush=True)

def post_worker_init(worker):
    import gc
    gc.disable()

def worker_exit(server, worker):
    import gevent, os
    if os.getpid() != worker.pid:
        return  # the master calls it too, for one that is gone
    from django.db import connection
    pool = connection.geventpool
    try:
        with gevent.Timeout(10):
            while pool.stats().idle + pool.stats().empty < 3:
                gevent.sleep(0.01)
    finally:
        print("left in", worker.pid, pool.stats(), flush=True)

def on_exit(server):
    import site_under_test
    print("the master's session at the end:", site_under_test.ask("SELECT pg_backend_pid()"))
"""


class Site:
    """A running gunicorn; its output is in a file."""

    def __init__(self, folder: Path, observer: Any) -> None:
        (folder / "site_under_test.py").write_text(SITE)
        (folder / "gunicorn.conf.py").write_text(CONFIGURATION)
        self.name = f"site-{os.getpid()}"
        self._observer, self._log = observer, folder / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", "gunicorn", "site_under_test"],
                cwd=folder,
                env={
                    **os.environ,
                    "DATABASE_URL": plugin_django.SERVER.url,
                    "PYTHONPATH": str(ROOT),
                    "SITE_NAME": self.name,
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._url = self.said(r"Listening at: (http://\S+)")
        self.masters_idle_session = int(self.said(r"the master's idle session: (\d+)"))
        self.masters_session = int(self.said(r"the master's session: (\d+)"))

    def log(self) -> str:
        return self._log.read_text()

    def said(self, pattern: str) -> str:
        """The first group of what it says sooner or later."""
        found = until(lambda: re.search(pattern, self.log()) or self._process.poll() is not None)
        assert isinstance(found, re.Match), self.log()
        return str(found[1])

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self._url + path, timeout=30) as response:
            return json.load(response)

    def sessions(self, state: str = "%") -> list[int]:
        rows = self._observer(
            "SELECT pid FROM pg_stat_activity WHERE application_name = %s AND state LIKE %s",
            self.name,
            state,
        )
        return [pid for (pid,) in rows]

    def workers(self) -> dict[int, set[int]]:
        """The sessions of each worker, when each has answered."""
        found: dict[int, set[int]] = {}
        while len(found) < 2:
            for task in [spawn(self.get, "/session/") for _ in range(12)]:
                answer = task.result()
                found.setdefault(answer["process"], set()).add(answer["session"])
        return found

    def end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(30)
        finally:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()


@pytest.fixture
def site(tmp_path: Path, observer: Any) -> Iterator[Site]:
    one = Site(tmp_path, observer)
    yield one
    one.end()
    until(lambda: not one.sessions())


def test_workers_of_a_preloaded_application_open_sessions_of_their_own(site: Site) -> None:
    first, second = site.workers().values()
    masters = {site.masters_session, site.masters_idle_session}
    assert not first & second
    assert not masters & (first | second)
    assert masters <= set(site.sessions())
    assert len(site.sessions()) <= 3 + 3 + 2
    site.end()
    assert int(site.said(r"the master's session at the end: (\d+)")) == site.masters_session


def test_handlers_killed_in_a_query_give_their_slots_back(site: Site) -> None:
    """As gunicorn does it when graceful_timeout is over; no request_finished is sent."""
    workers = site.workers()
    tasks = []

    def all_are_busy() -> bool:
        tasks.append(spawn(site.get, "/stay/"))  # whichever worker it reaches
        return len(site.sessions("active")) == 6

    until(all_are_busy)
    for process in workers:
        os.kill(process, signal.SIGTERM)
    for process in workers:
        left = site.said(rf"left in {process} (.*)")
        assert "0 in use" in left and "0 closing" in left and "0 waiting" in left
    site.end()  # new workers may have accepted some of them
    for task in tasks:
        task.error()
    assert "Worker graceful timeout" in site.log()
    assert set(re.findall(r"a handler ends: (\w+)", site.log())) == {"GreenletExit"}
