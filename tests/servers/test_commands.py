"""Management commands and the development server: nothing is patched, the pool runs on threads."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from matrix.processes import free_port

from ..scripts import ROOT
from ..tasks import until
from .running import PYTHON, SITE, Load, Running, Start

MANAGE = (*PYTHON, "-m", "django")


def test_a_command_leaves_no_session(start: Start) -> None:
    command = start(*MANAGE, "work", "0.01")
    assert command.wait() == 0, command.log()
    assert "'hub': 'threads'" in command.log()
    assert "'in_use': 1" in command.log()
    until(lambda: not command.sessions())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_command_that_is_ended_in_a_query_leaves_no_session(start: Start, number: int) -> None:
    command = start(*MANAGE, "work", "60")
    until(lambda: command.sessions("active"))
    assert command.stop(number) != 0
    until(lambda: not command.sessions())
    # A SIGTERM ends a Python that has no handler for it like a SIGKILL: nothing is unwound.
    ended_by = re.findall(r"ended by: (\w+)", command.log())
    assert ended_by == (["KeyboardInterrupt"] if number == signal.SIGINT else [])


def runserver(start: Start, *options: str, **environ: str) -> Running:
    server = start(*MANAGE, "runserver", f"127.0.0.1:{free_port()}", *options, **environ)
    return server.listens(r"development server at http://([^/]+)/")


def test_runserver_keeps_the_limit_and_ctrl_c_leaves_no_session(start: Start, begun: Any) -> None:
    site = runserver(start)
    load = Load(site)
    load.runs()
    stats = site.get("/stats/")
    assert (stats["hub"], stats["size"]) == ("threads", 3)
    os.killpg(site.process.pid, signal.SIGINT)  # as a terminal does: also to the reloader's child
    site.wait()
    load.ends()
    assert load.most_sessions <= 3
    # The development server ends at once, whoever is still waiting for an answer.
    assert begun(site.name) >= load.answered
    until(lambda: not site.sessions())


def test_runserver_leaves_no_session_behind_when_it_reloads(start: Start, tmp_path: Path) -> None:
    settings = tmp_path / "changing_settings.py"
    settings.write_text(f"from {SITE}.settings import *\n")
    path = os.pathsep.join((str(tmp_path), str(ROOT)))
    site = runserver(start, DJANGO_SETTINGS_MODULE="changing_settings", PYTHONPATH=path)
    before = site.visit()

    def has_gone() -> bool:
        settings.touch()  # again and again: it may not have begun to look yet
        return before["session"] not in site.sessions()

    until(has_gone)
    until(lambda: site.log().count("development server at") == 2)
    after = until(lambda: try_to_visit(site))
    assert after["process"] != before["process"]
    assert site.get("/stats/")["in_use"] == 0
    os.killpg(site.process.pid, signal.SIGINT)
    site.wait()
    until(lambda: not site.sessions())


def try_to_visit(site: Running) -> Any:
    """It has said that it starts, and listens a moment later."""
    try:
        return site.visit()
    except ConnectionRefusedError:
        return None
