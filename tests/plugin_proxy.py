"""A proxy between a pool and the server, for outages of all kinds: see ``tests.proxy``."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from matrix.postgres import Server

from . import plugin_django

ROOT = Path(__file__).parent.parent


class Counts(NamedTuple):
    connects: list[float]
    """When each connect came, in seconds of :func:`time.monotonic`."""
    open: int
    """Connections that neither side has closed, as far as the proxy was told."""


class Proxy:
    """A proxy in a process of its own. Each call returns when it has taken effect there.

    A call blocks the hub for that moment, so that no greenlet runs in between.
    """

    def __init__(self, server: Server) -> None:
        theirs, commands = os.pipe()
        answers, theirs_too = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.proxy", server.host, str(server.port)],
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
        self.port = int(self._answers.readline())

    @property
    def settings(self) -> dict[str, Any]:
        """What leads here, of a Django ``DATABASES`` entry."""
        return {"HOST": "127.0.0.1", "PORT": str(self.port)}

    def start(self) -> None:
        self._tell("start")

    def stop(self) -> None:
        self._tell("stop")

    def reset(self) -> None:
        self._tell("reset")

    def deaf(self) -> None:
        self._tell("deaf")

    def slow(self, size: int, seconds: float) -> None:
        self._tell("slow", size, seconds)

    def cut(self, size: int) -> None:
        self._tell("cut", size)

    def half_open(self) -> None:
        self._tell("half_open")

    def counts(self) -> Counts:
        return self._tell("counts")

    def _tell(self, *words: object) -> Counts:
        self._commands.write((" ".join(map(str, words)) + "\n").encode())
        return Counts(**json.loads(self._answers.readline()))

    def end(self) -> None:
        self._commands.close()
        self._process.wait(30)
        self._answers.close()


@pytest.fixture
def proxy(database: Any) -> Iterator[Proxy]:
    """To be used as ``database(proxy.settings, MAX_CONNS=2)``.

    It ends before the test's databases do, who wait until their sessions are gone.
    """
    one = Proxy(plugin_django.SERVER)
    yield one
    one.end()
