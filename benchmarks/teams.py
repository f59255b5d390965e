"""The processes of a race: started, told to run, and ended."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

from matrix.addresses import Server
from matrix.results import clean

from .envs import Env
from .peers import PEERS
from .plan import Race

#: Seconds that one order may take; what takes longer hangs.
ORDER_TIMEOUT = 180.0
TAIL_LINES = 8

Figures = Mapping[str, float]


class WorkerFailed(Exception):
    """A contender did not come to its end; the message is for a person."""


class Refused(Exception):
    """A contender's settings are refused: it is absent from the race."""


class Worker:
    """One contender's process."""

    def __init__(
        self, race: Race, contender: str, env: Env, server: Server, errors: IO[bytes]
    ) -> None:
        self.contender = contender
        self._server = server
        self._errors = errors
        self._process = subprocess.Popen(
            [str(env.python), "-m", "benchmarks.worker"],
            cwd=env.folder,
            env={k: v for k, v in os.environ.items() if not k.startswith(("PG", "PYTHONPATH"))},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,  # a Ctrl-C is for us, who end it
        )
        try:
            answer = self._ask(told(race, contender, server))
            if "absent" in answer:
                raise Refused(answer["absent"])
        except BaseException:
            self.close()
            raise
        self.versions: dict[str, str] = answer["ready"]

    def run(self, count: int) -> Figures:
        """:raises WorkerFailed: with the last that it said."""
        return self._ask({"count": count})

    def profile(self, count: int) -> dict[str, float]:
        """Seconds of CPU that one operation spends in each part of the program."""
        answer = self._ask({"count": count, "profile": True})
        each = answer["cpu"] / answer["count"]
        return {part: share * each for part, share in answer["shares"].items()}

    def _ask(self, order: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        timer = threading.Timer(ORDER_TIMEOUT, self._process.kill)
        timer.start()
        try:
            with contextlib.suppress(BrokenPipeError):
                print(json.dumps(order), file=self._process.stdin, flush=True)
            line = self._process.stdout.readline()
        finally:
            timer.cancel()
        if not line:
            code = self._process.wait()
            raise WorkerFailed(f"{self.contender} ended with code {code}; {self._last_words()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _last_words(self) -> str:
        self._errors.seek(0)
        text = clean(self._errors.read().decode(errors="replace"))
        if self._server.password:
            text = text.replace(self._server.password, "***")
        tail = text.strip().splitlines()[-TAIL_LINES:]
        return "\n".join(["its last words:", *tail]) if tail else "it said nothing."

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process.stdout.close()


@contextmanager
def worker(race: Race, contender: str, env: Env, server: Server) -> Iterator[Worker]:
    """:raises Refused: if its settings are."""
    with tempfile.TemporaryFile() as errors:
        started = Worker(race, contender, env, server, errors)
        try:
            yield started
        finally:
            started.close()


def told(race: Race, contender: str, server: Server) -> dict[str, Any]:
    """The first line for a worker."""
    name, _, variant = contender.partition(":")
    peer = PEERS[name]
    return {
        "workload": race.workload,
        "peer": name,
        "lock": peer.lock,
        "ours": peer.ours,
        "database": peer.database(race.size),
        "arguments": {**race.arguments, **race.variants.get(variant, {})},
        "server": {
            "host": server.host,
            "port": server.port,
            "user": server.user,
            "password": server.password,
            "dbname": server.dbname,
        },
    }
