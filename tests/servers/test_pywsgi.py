"""gevent.pywsgi without a server around it: a graceful stop, and handlers that outlast it."""

from __future__ import annotations

import re
from typing import Any

from .running import PYTHON, SITE, Load, Running, Start

CLOSED = "closed: True, MAX_CONNS 3, 0 in use, 0 idle, 0 opening, 0 closing, 0 waiting"


def pywsgi(start: Start, **environ: str) -> Running:
    return start(*PYTHON, "-m", f"{SITE}.pywsgi", **environ).listens(r"listens at (\S+)")


def test_a_graceful_stop_under_load_answers_all_that_was_begun(start: Start, begun: Any) -> None:
    site = pywsgi(start)
    load = Load(site)
    load.runs()
    assert site.stop() == 0
    load.ends()
    assert begun(site.name) == load.answered
    assert load.most_sessions <= 3
    assert CLOSED in site.log()
    assert not site.sessions()


def test_what_outlasts_the_stop_is_killed_and_its_statements_are_cancelled(start: Start) -> None:
    site = pywsgi(start, SITE_GRACE="0.5")
    requests = site.stay(sessions=3)
    assert site.stop() == 0
    assert CLOSED in site.log()
    assert not site.sessions()
    for request in requests:
        request.error()
    assert set(re.findall(r"ended by: (\w+)", site.log())) == {"GreenletExit"}
