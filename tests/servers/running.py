"""A real process with its log, ended for sure; and clients that put it under load."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from typing import IO, Any, Callable
from urllib.parse import urlencode

from ..scripts import ROOT
from ..tasks import HubTask, pause, spawn, until

#: Seconds for a polite end, before everything that it has started is killed.
STOP_TIMEOUT = 30.0
SITE = "tests.servers.site"
#: The site asks the database in the process that forks its workers, before it does.
PRELOAD = {"SITE_PRELOAD": "yes"}
PYTHON = (sys.executable, "-W", "ignore")
#: How the fixture ``start`` is called: with a command line, and the environment as keywords.
Start = Callable[..., "Running"]
_numbers = itertools.count(1)


class Running:
    """A program on the site. Its sessions carry its name, its output is in a file.

    It leads a process group of its own, which is killed as a whole at the end: by us, or by the
    guard (``guard.py``) whose input *told* is.
    """

    def __init__(
        self,
        command: Sequence[object],
        folder: Path,
        observer: Any,
        database: str,
        environ: dict[str, str],
        told: IO[str],
    ) -> None:
        number = next(_numbers)
        self.name = f"site_{os.getpid()}_{number}"
        self._observer, self._told = observer, told
        self._is_over = False
        self._log = folder / f"log{number}"
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "DJANGO"))}
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                cwd=folder,
                env={
                    **inherited,
                    "DATABASE_URL": database,
                    "DJANGO_SETTINGS_MODULE": f"{SITE}.settings",
                    "PYTHONPATH": str(ROOT),
                    "PYTHONUNBUFFERED": "1",
                    "SITE_NAME": self.name,
                    **environ,
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        print(f"+{self.process.pid}", file=told, flush=True)
        self.address = ""

    # -- what it says

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def said(self, pattern: str) -> str:
        """The first group of what it says sooner or later."""
        found = until(lambda: re.search(pattern, self.log()) or self.process.poll() is not None)
        found = re.search(pattern, self.log()) or found
        assert isinstance(found, re.Match), self.log()
        return str(found[1] if found.re.groups else found[0])

    def listens(self, pattern: str) -> Running:
        """Wait until it has said where: the group of *pattern* is HOST:PORT."""
        self.address = self.said(pattern)
        return self

    def ask(
        self, path: str, host: str = "127.0.0.1", form: dict[str, str] | None = None
    ) -> tuple[HTTPResponse, str]:
        """The answer, and its text. A form is posted.

        :raises OSError, HTTPException: where there was no answer.
        """
        headers = {"Host": host}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        with closing(HTTPConnection(self.address, timeout=30)) as asking:
            body = None if form is None else urlencode(form)
            asking.request("GET" if form is None else "POST", path, body, headers)
            answer = asking.getresponse()
            return answer, answer.read().decode()

    def get(self, path: str, host: str = "127.0.0.1") -> Any:
        """What the answer says, in JSON. Like ask(), for what succeeds."""
        answer, text = self.ask(path, host)
        assert answer.status == 200, text
        return json.loads(text)

    def queries(self) -> HTTPResponse:
        """The answer to a request with four statements."""
        answer, text = self.ask(f"/queries/?key={self.name}.{next(_numbers)}")
        assert answer.status == 200, text
        return answer

    def visit(self, seconds: float = 0.02) -> Any:
        return self.get(f"/visit/?key={self.name}.{next(_numbers)}&seconds={seconds}")

    def visits(self, processes: int) -> dict[int, set[int]]:
        """The sessions of each of its processes, when all have answered."""
        found: dict[int, set[int]] = {}
        while len(found) < processes:
            for task in [spawn(self.visit, 0.1) for _ in range(12)]:
                answer = task.result()
                found.setdefault(answer["process"], set()).add(answer["session"])
        return found

    def stay(self, sessions: int) -> list[HubTask]:
        """Requests that take too long, as many as it needs to keep so many sessions busy."""
        requests: list[HubTask] = []

        def all_are_busy() -> bool:
            if len(self.sessions("active")) == sessions:
                return True
            requests.append(spawn(self.get, "/stay/"))  # whichever process it reaches
            return False

        until(all_are_busy)
        return requests

    @contextmanager
    def exhausted(self) -> Iterator[None]:
        """While its only connection is busy; the request that has it fails afterwards."""
        request = spawn(self.get, "/stay/")
        (session,) = until(lambda: self.sessions("active"))
        yield
        self._observer("SELECT pg_terminate_backend(%s)", session)
        assert request.error()

    # -- what the server says of it

    def sessions(self, state: str = "%") -> list[int]:
        """The pids of its sessions in PostgreSQL, those that a client has left behind included."""
        rows = self._observer(
            "SELECT pid FROM pg_stat_activity "
            "WHERE application_name = %s AND coalesce(state, '') LIKE %s",
            self.name,
            state,
        )
        return [pid for (pid,) in rows]

    def most_sessions(self, requests: Sequence[HubTask]) -> int:
        """How many there were at once, until all of these had their answer."""
        most = 0
        while any(request.running for request in requests):
            most = max(most, len(self.sessions()))
            pause(0.01)
        for request in requests:
            request.result()
        return most

    # -- its end

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        """The exit code, once it has ended."""
        until(lambda: self.process.poll() is not None, STOP_TIMEOUT)
        return self.process.wait()

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.send(number)
        return self.wait()

    def end(self) -> None:
        """Politely, then with whatever it has started. The second time nothing is left to do."""
        if self._is_over:
            return
        self._is_over = True
        try:
            if self.process.poll() is None:
                self.stop()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            print(f"-{self.process.pid}", file=self._told, flush=True)


def serve(
    start: Start, module: str = "wsgi", options: dict[str, Any] | None = None, **environ: str
) -> Running:
    """One gevent worker of gunicorn's: each of its requests is a greenlet of its own."""
    return start(
        *(*PYTHON, "-m", "gunicorn", "-k", "gevent", "-b", "127.0.0.1:0", "--no-control-socket"),
        *("-w", "1", f"{SITE}.{module}"),
        SITE_OPTIONS=json.dumps(options or {}),
        **environ,
    ).listens(r"Listening at: http://(\S+)")


class Load:
    """Clients that ask, each again and again, until the site takes no more connections.

    A request that the site has begun has left a row with its key (the fixture ``begun``), so that
    one which was begun and never answered can be told from one that nobody took.
    """

    CLIENTS, MOST = 20, 500  # requests of each, if nobody stops the site

    def __init__(self, site: Running, path: str = "/visit/") -> None:
        self._site, self._path = site, path
        self.answered: set[str] = set()
        self.most_sessions = 0
        self._clients = [spawn(self._ask, client) for client in range(self.CLIENTS)]

    def _ask(self, client: int) -> None:
        for number in range(self.MOST):
            key = f"{self._site.name}-{client}-{number}"
            try:
                answer = self._site.get(f"{self._path}?key={key}")
            except (OSError, HTTPException):
                return  # refused, or hung up
            assert answer["key"] == key
            self.answered.add(key)

    def runs(self, answers: int = 120) -> None:
        """Wait until so many were given, and look meanwhile how many sessions there are."""

        def enough() -> bool:
            self.most_sessions = max(self.most_sessions, len(self._site.sessions()))
            return len(self.answered) >= answers

        until(enough)

    def ends(self) -> None:
        for client in self._clients:
            client.result()
