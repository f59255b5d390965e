"""gunicorn's gevent workers: a fork after the site is loaded, a graceful stop, and kills."""

from __future__ import annotations

import os
import re
import signal
from typing import Any

import pytest

from ..scripts import ROOT
from ..tasks import until
from .running import PRELOAD, PYTHON, SITE, Load, Running, Start

CONFIGURATION = ROOT / "tests" / "servers" / "site" / "gunicorn.conf.py"


def gunicorn(start: Start, **environ: str) -> Running:
    module = f"{SITE}.early" if "SITE_PRELOAD" in environ else f"{SITE}.wsgi"
    site = start(*PYTHON, "-m", "gunicorn", "-c", CONFIGURATION, module, **environ)
    return site.listens(r"Listening at: http://(\S+)")


def test_workers_of_a_preloaded_site_open_sessions_of_their_own(start: Start) -> None:
    site = gunicorn(start, **PRELOAD)
    held = int(site.said(r"the early session: (\d+)"))
    masters = {held, int(site.said(r"the early idle session: (\d+)"))}
    first, second = site.visits(processes=2).values()
    assert not first & second
    assert not masters & (first | second)
    assert masters <= set(site.sessions())
    assert len(site.sessions()) <= 3 + 3 + 2
    assert site.stop() == 0
    assert int(site.said(r"the early session at the end: (\d+)")) == held


@pytest.mark.parametrize("preload", [{}, PRELOAD], ids=["after the fork", "preloaded"])
def test_a_graceful_stop_under_load_answers_all_that_was_begun(
    start: Start, begun: Any, preload: dict[str, str]
) -> None:
    site = gunicorn(start, **preload)
    load = Load(site)
    load.runs()
    workers = len(set(re.findall(r"Booting worker with pid: (\d+)", site.log())))
    assert site.stop() == 0
    load.ends()
    assert begun(site.name) == load.answered
    assert load.most_sessions <= 2 * 3 + (2 if preload else 0)
    closed = re.findall(r"worker \d+ closed: (.*)", site.log())
    nothing = "True, MAX_CONNS 3, 0 in use, 0 idle, 0 opening, 0 closing, 0 waiting"
    assert closed == [nothing] * workers, site.log()
    assert not site.sessions()


def test_handlers_killed_in_a_query_give_their_slots_back(start: Start) -> None:
    """As gunicorn does it when graceful_timeout is over; no request_finished is sent."""
    site = gunicorn(start, SITE_GRACE="1")
    workers = site.visits(processes=2)
    requests = site.stay(sessions=6)
    for worker in workers:
        os.kill(worker, signal.SIGTERM)
    for worker in workers:
        closed = site.said(rf"worker {worker} closed: (.*)")
        assert closed == "True, MAX_CONNS 3, 0 in use, 0 idle, 0 opening, 0 closing, 0 waiting"
    site.stop()  # new workers may have accepted some of them
    for request in requests:
        request.error()
    assert "Worker graceful timeout" in site.log()
    assert set(re.findall(r"ended by: (\w+)", site.log())) == {"GreenletExit"}


def test_the_sessions_of_a_worker_that_is_killed_outright_end(start: Start) -> None:
    """It cannot say goodbye, so the server has to look: client_connection_check_interval."""
    site = gunicorn(start)
    workers = site.visits(processes=2)
    requests = site.stay(sessions=6)
    before = set(site.sessions("active"))
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    until(lambda: not before & set(site.sessions()))
    for request in requests:
        request.error()
    assert site.visits(processes=2).keys().isdisjoint(workers)
    assert len(site.sessions()) <= 6
