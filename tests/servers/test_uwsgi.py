"""uWSGI with its gevent loop: forks, a graceful stop, harakiri."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from ..scripts import ROOT
from ..tasks import until
from .running import PRELOAD, SITE, Load, Running, Start

INI = ROOT / "tests" / "servers" / "site" / "uwsgi.ini"


def uwsgi(start: Start, *options: str, module: str = "wsgi", **environ: str) -> Running:
    program = Path(sys.executable).with_name("uwsgi")
    site = start(program, "--ini", INI, "--module", f"{SITE}.{module}", *options, **environ)
    return site.listens(r"bound to TCP address (\S+)")


@pytest.mark.parametrize("preload", [{}, PRELOAD], ids=["lazy-apps", "py-call-osafterfork"])
def test_workers_open_sessions_of_their_own(start: Start, preload: dict[str, str]) -> None:
    """With neither of the two settings they share those of the master, and requests fail."""
    site = uwsgi(start, module="early", **preload)
    first, second = site.visits(processes=2).values()
    masters = set(map(int, re.findall(r"the early (?:idle )?session: (\d+)", site.log())))
    assert not first & second
    if preload:
        assert len(masters) == 2
        assert not masters & (first | second)
        assert masters <= set(site.sessions())
    assert len(site.sessions()) <= 3 + 3 + 2
    assert site.stop() == 0
    until(lambda: not site.sessions())


def test_a_graceful_stop_under_load_answers_all_that_was_begun(start: Start, begun: Any) -> None:
    site = uwsgi(start)
    load = Load(site)
    load.runs()
    assert site.stop() == 0
    load.ends()
    assert begun(site.name) == load.answered
    assert load.most_sessions <= 2 * 3
    until(lambda: not site.sessions())


def test_the_sessions_of_a_worker_that_harakiri_kills_end(start: Start) -> None:
    """It kills the whole process, with all its requests, and outright."""
    site = uwsgi(start, "--harakiri", "2")
    workers = site.visits(processes=2)
    requests = site.stay(sessions=6)
    before = set(site.sessions("active"))
    until(lambda: not before & set(site.sessions()))
    until(lambda: site.log().count("died, killed by signal 9") >= 2)
    for request in requests:
        request.error()
    assert site.visits(processes=2).keys().isdisjoint(workers)
    assert len(site.sessions()) <= 6
