"""Outages at will: a proxy before the server, and a server that can be restarted.

Both are processes of their own: ``matrix.proxy`` and ``matrix.restartable`` say what they can do.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from matrix.program import Program

from . import plugin_django
from .tasks import until


class Counts(NamedTuple):
    connects: list[float]
    """When each connect came, in seconds of :func:`time.monotonic`."""
    open: int
    """Connections that neither side has closed, as far as the proxy was told."""
    statements: list[str]
    """What the clients have sent since the last time that somebody asked."""


class Proxy:
    """See ``matrix.proxy``. Each call returns when it has taken effect there."""

    def __init__(self) -> None:
        server = plugin_django.SERVER
        self._program = Program("matrix.proxy", server.host, str(server.port))
        self.port = int(self._program.read())

    @property
    def settings(self) -> dict[str, Any]:
        """What leads here, of a Django ``DATABASES`` entry."""
        return {"HOST": "127.0.0.1", "PORT": str(self.port)}

    def start(self) -> None:
        self._program.tell("start")

    def stop(self) -> None:
        self._program.tell("stop")

    def hang_up(self) -> None:
        self._program.tell("hang_up")

    def reset(self) -> None:
        self._program.tell("reset")

    def deaf(self) -> None:
        self._program.tell("deaf")

    def slow(self, size: int, seconds: float) -> None:
        self._program.tell("slow", size, seconds)

    def cut(self, size: int) -> None:
        self._program.tell("cut", size)

    def half_open(self) -> None:
        self._program.tell("half_open")

    def counts(self) -> Counts:
        return Counts(**json.loads(self._program.tell("counts")))

    def end(self) -> int:
        return self._program.end()


@pytest.fixture
def proxy(database: Any) -> Iterator[Proxy]:
    """To be used as ``database(proxy.settings, MAX_CONNS=2)``.

    It ends before the test's databases do, who wait until their sessions are gone.
    """
    one = Proxy()
    yield one
    one.end()


class RestartableServer:
    """See ``matrix.restartable``."""

    def __init__(self) -> None:
        self._program = Program("matrix.restartable")
        self._port, self._password = self._program.read().split()

    @property
    def settings(self) -> dict[str, Any]:
        """What leads here, of a Django ``DATABASES`` entry."""
        return {
            "HOST": "127.0.0.1",
            "PORT": self._port,
            "NAME": "postgres",
            "USER": "postgres",
            "PASSWORD": self._password,
        }

    def restart(self, how: str) -> None:
        """Return when it serves again; everybody else runs meanwhile."""
        self._program.begin(how)
        until(self._program.has_answered)
        assert self._program.read().strip() == self._port

    def end(self) -> int:
        return self._program.end()


@pytest.fixture(scope="module")
def restartable_server() -> Iterator[RestartableServer]:
    one = RestartableServer()
    yield one
    one.end()
