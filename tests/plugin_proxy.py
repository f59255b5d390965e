"""Outages at will: a proxy before the server, and a server that can be restarted.

Both are processes of their own, ``tests.proxy`` and ``tests.server``, which say what they can do.
"""

from __future__ import annotations

import io
import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from . import plugin_django
from .tasks import until

ROOT = Path(__file__).parent.parent


class Program:
    """A program that answers each line with a line, and ends when nobody holds its input.

    A call blocks the hub until the answer is there, so that no greenlet runs in between.
    """

    def __init__(self, *command: str) -> None:
        theirs, commands = os.pipe()
        answers, theirs_too = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            stdin=theirs,
            stdout=theirs_too,
            start_new_session=True,  # a Ctrl-C is for us
        )
        os.close(theirs)
        os.close(theirs_too)
        # Plain files, which no hub has patched.
        self._commands = io.FileIO(commands, "wb")
        self._answers = io.BufferedReader(io.FileIO(answers, "rb"))

    def read(self) -> str:
        return self._answers.readline().decode()

    def has_answered(self) -> bool:
        return bool(select.select([self._answers], [], [], 0)[0])

    def begin(self, *words: object) -> None:
        self._commands.write((" ".join(map(str, words)) + "\n").encode())

    def tell(self, *words: object) -> str:
        self.begin(*words)
        return self.read()

    def end(self) -> int:
        """Its exit code."""
        self._commands.close()
        self._answers.close()
        return self._process.wait(30)


class Counts(NamedTuple):
    connects: list[float]
    """When each connect came, in seconds of :func:`time.monotonic`."""
    open: int
    """Connections that neither side has closed, as far as the proxy was told."""
    statements: list[str]
    """What the clients have sent since the last time that somebody asked."""


class Proxy:
    """See ``tests.proxy``. Each call returns when it has taken effect there."""

    def __init__(self) -> None:
        server = plugin_django.SERVER
        self._program = Program("tests.proxy", server.host, str(server.port))
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
    """See ``tests.server``."""

    def __init__(self) -> None:
        self._program = Program("tests.server")
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
