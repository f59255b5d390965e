"""The demo site as a process: for ``tox -e demo``, and for tests that want a site to talk to.

``python -m demo.run`` starts a PostgreSQL server and the site, until Ctrl-C. gunicorn ends with
the process that started it, even if that is killed: it holds the other end of a pipe.
"""

from __future__ import annotations

import collections
import errno
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NoReturn

from matrix import postgres

REPOSITORY = Path(__file__).resolve().parent.parent
DEFAULT_BIND = "127.0.0.1:8000"
START_TIMEOUT = 30.0
#: Seconds for gunicorn to end politely: more than its own graceful_timeout.
STOP_TIMEOUT = 10.0
TAIL_LINES = 5


class SiteUnavailable(Exception):
    """The site does not run; the message tells a person why."""


class Site:
    """A running gunicorn: where it listens, and what it said last."""

    def __init__(self, process: subprocess.Popen[str], bind: str, log: IO[str]) -> None:
        host, port = split_bind(bind)
        self.process = process
        self.host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        self.port = port
        self.url = f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{port}"
        self._last_lines: collections.deque[str] = collections.deque(maxlen=TAIL_LINES)
        assert process.stdout is not None
        self._relay = threading.Thread(
            target=self._pass_on, args=[process.stdout, log], daemon=True
        )
        self._relay.start()

    def _pass_on(self, output: IO[str], log: IO[str]) -> None:
        with output:
            for line in output:
                self._last_lines.append(line)
                log.write(line)
                log.flush()

    def answers(self) -> bool:
        asking = http.client.HTTPConnection(self.host, self.port, timeout=5)
        try:
            asking.request("GET", "/about/")
            return asking.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            asking.close()

    def wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while not self.answers():
            if self.process.poll() is not None:
                raise self.trouble(f"gunicorn ended with code {self.process.returncode}")
            if time.monotonic() > deadline:
                raise self.trouble(f"{self.url}/about/ does not answer in {START_TIMEOUT:g} s")
            time.sleep(0.05)

    def trouble(self, what: str) -> SiteUnavailable:
        if self.process.poll() is not None:
            self._relay.join(1)
        return SiteUnavailable(f"{what}; its last words:\n{''.join(self._last_lines).rstrip()}")

    def stop(self) -> None:
        """Politely, so that running requests may end; then with all its workers."""
        self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        assert self.process.stdin is not None
        self.process.stdin.close()
        self._relay.join(1)


def split_bind(bind: str) -> tuple[str, int]:
    host, _, port = bind.rpartition(":")
    if not host or not port.isdecimal():
        raise SiteUnavailable(f"DEMO_BIND is {bind!r}; accepted is HOST:PORT.")
    return host.strip("[]"), int(port)


def check_free(bind: str) -> None:
    """:raises SiteUnavailable: if gunicorn could not listen there."""
    host, port = split_bind(bind)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except (OSError, OverflowError) as error:
        taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        raise SiteUnavailable(
            f"{bind} is taken by another program; set DEMO_BIND to a free HOST:PORT."
            if taken
            else f"Cannot listen at {bind}, which DEMO_BIND names: {error}"
        ) from None


def free_bind() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"127.0.0.1:{probe.getsockname()[1]}"


def manage(command: str, environ: Mapping[str, str], log: IO[str] | None) -> None:
    manage_py = REPOSITORY / "demo" / "manage.py"
    done = subprocess.run(
        [sys.executable, str(manage_py), *command.split()],
        env=environ,
        stdout=log,
        stderr=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        tail = "\n".join(done.stderr.strip().splitlines()[-TAIL_LINES:])
        raise SiteUnavailable(f"manage.py {command} failed; its last words:\n{tail}")


@contextmanager
def started(
    database_url: str, bind: str, environ: Mapping[str, str], log: IO[str] | None = None
) -> Iterator[Site]:
    """Like :func:`site`, for who wants the process too.

    :param log: a file for all that is said; None is our own output.
    """
    check_free(bind)
    try:
        postgres.check_answers(postgres.parse_url(database_url))
    except postgres.ServerUnavailable as error:
        raise SiteUnavailable(str(error)) from None
    environ = {
        **os.environ,
        **environ,
        "DATABASE_URL": database_url,
        "DEMO_BIND": bind,
        "DEMO_ENDS_WITH_STDIN": "yes",
        "DJANGO_SETTINGS_MODULE": "demo.shopsite.settings",
    }
    manage("migrate --verbosity 0", environ, log)
    manage("seed", environ, log)
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-c", "demo/gunicorn.conf.py", "demo.shopsite.wsgi"],
        cwd=REPOSITORY,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # a Ctrl-C is for us; we then end gunicorn in order
    )
    site = Site(process, bind, log or sys.stderr)
    try:
        site.wait_until_it_answers()
        yield site
    finally:
        site.stop()


@contextmanager
def site(
    *, database_url: str, bind: str | None = None, environ: Mapping[str, str] | None = None
) -> Iterator[str]:
    """The site, migrated and filled, for the time of the block; its base URL.

    :param bind: HOST:PORT; None takes a free port of the loopback interface.
    :param environ: set in addition to the environment of this process.
    :raises SiteUnavailable: if it does not come up.
    """
    with started(database_url, bind or free_bind(), environ or {}) as running:
        yield running.url


def stop_once(*_: object) -> NoReturn:
    """End in order; whoever asks again is not to interrupt that."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def welcome(url: str, server: postgres.Server) -> str:
    """The password is shown of a throwaway server only; any other is in the environment."""
    named = postgres.named(os.environ) is not None
    login = "" if named else f"DATABASE_URL={server.url} "
    return (
        f"\nThe shop is open at {url}/ (PostgreSQL: {server.origin})\n"
        f"  admin:      {url}/admin/  user admin, password admin\n"
        f"  under load: {login}tox exec -e load -- locust -f loadtests/ -H {url}\n"
        "  Ctrl-C ends it.\n"
    )


def main() -> int:
    signal.signal(signal.SIGINT, stop_once)
    signal.signal(signal.SIGTERM, stop_once)
    bind = os.environ.get("DEMO_BIND", DEFAULT_BIND)
    try:
        check_free(bind)
        with postgres.server() as server, started(server.url, bind, {}) as running:
            print(welcome(running.url, server), flush=True)
            running.process.wait()
            raise running.trouble("gunicorn ended by itself")
    except (postgres.ServerUnavailable, SiteUnavailable) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
