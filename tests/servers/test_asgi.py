"""Django under ASGI: its views run in threads, and so does the pool. Nothing may be patched."""

from __future__ import annotations

import json
import signal
import socket
from typing import Any

import pytest

from ..tasks import until
from .running import PYTHON, SITE, Load, Running, Start


def uvicorn(start: Start, **options: str) -> Running:
    """
    :param options: those of the pool, besides the usual ones.
    """
    command = [*PYTHON, "-m", "uvicorn", f"{SITE}.asgi:application", "--port", "0"]
    site = start(*command, "--lifespan", "off", SITE_OPTIONS=json.dumps(options))
    return site.listens(r"running on http://(\S+)")


@pytest.mark.parametrize("release", ["request", "transaction"])
@pytest.mark.parametrize("path", ["/visit/", "/async/visit/"], ids=["sync", "async"])
def test_a_graceful_stop_under_load_answers_all_that_was_begun(
    start: Start, begun: Any, path: str, release: str
) -> None:
    site = uvicorn(start, RELEASE=release)
    load = Load(site, path)
    load.runs()
    stats = site.get("/stats/")
    assert (stats["hub"], stats["size"]) == ("threads", 3)
    site.stop()
    load.ends()
    assert begun(site.name) == load.answered
    assert load.most_sessions <= 3
    until(lambda: not site.sessions())


@pytest.mark.parametrize("path", ["/stay/", "/async/stay/"], ids=["sync", "async"])
def test_a_client_that_hangs_up_costs_no_slot(start: Start, path: str) -> None:
    """A thread cannot be interrupted: the statement runs to its end, then the slot is free."""
    site = uvicorn(start)
    host, _, port = site.address.partition(":")
    clients = [socket.create_connection((host, int(port))) for _ in range(5)]
    for client in clients:
        client.sendall(f"GET {path}?seconds=5 HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    until(lambda: len(site.sessions("active")) == 3 and site.get("/stats/")["waiting"] == 2)
    for client in clients:
        client.close()
    until(lambda: site.log().count("the work was ended by: None") == 5)
    until(lambda: site.get("/stats/")["idle"] == 3)
    assert len(site.sessions()) == 3


def test_the_sessions_of_a_server_that_is_killed_outright_end(start: Start) -> None:
    site = uvicorn(start)
    requests = site.stay(sessions=3)
    site.stop(signal.SIGKILL)
    until(lambda: not site.sessions())
    for request in requests:
        request.error()
