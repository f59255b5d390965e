"""A PostgreSQL server for whoever needs one: the tests, the demo, the load suite, you.

In this order: the server that ``DATABASE_URL`` (or ``PGHOST`` and its kin) names; a container,
where ``PG_PROVIDER=container`` asks for one (image in ``PG_IMAGE``); else an embedded server from
PyPI wheels, started in a temporary folder and gone with the process that wanted it.

As a command, ``python -m matrix.postgres -- COMMAND ...`` runs a command with ``DATABASE_URL``
set; without a command it prints the URL and serves until Ctrl-C.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

DEFAULT_IMAGE = "postgres:17"
PROVIDERS = ("container", "embedded")


class ServerUnavailable(Exception):
    """There is no server to be had; the message is one sentence for a person to read."""


@dataclass(frozen=True)
class Server:
    """Where a server listens, and as whom to log in."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    dbname: str
    origin: str
    options: Mapping[str, str] = field(default_factory=dict)
    """More of libpq's parameters: sslmode, ..."""

    @property
    def url(self) -> str:
        """As a DATABASE_URL: it contains the password."""
        login = quote(self.user, safe="")
        if self.password:
            login += ":" + quote(self.password, safe="")
        host = quote(self.host, safe="") if self.host.startswith("/") else self.host
        query = f"?{urlencode(self.options)}" if self.options else ""
        return f"postgresql://{login}@{host}:{self.port}/{quote(self.dbname, safe='')}{query}"

    @property
    def django(self) -> dict[str, object]:
        """The part of a Django ``DATABASES`` entry that says where."""
        return {
            "NAME": self.dbname,
            "USER": self.user,
            "PASSWORD": self.password,
            "HOST": self.host,
            "PORT": str(self.port),
            "OPTIONS": dict(self.options),
        }


def parse_url(url: str) -> Server:
    """Read a DATABASE_URL.

    :raises ServerUnavailable: saying what is wrong with it, without quoting it.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or 5432
    except ValueError:  # its message may quote a part of the password
        raise ServerUnavailable(
            "DATABASE_URL is not a URL; a / # ? @ or : within the password must be percent-encoded."
        ) from None
    if parts.scheme not in ("postgres", "postgresql"):
        raise ServerUnavailable(
            "DATABASE_URL must begin with postgresql:// (or postgres://), "
            f"not with {(parts.scheme + '://') if parts.scheme else 'anything else'}."
        )
    if not parts.hostname or not parts.path.strip("/"):
        raise ServerUnavailable(
            "DATABASE_URL must name a host and a database: postgresql://USER:PASSWORD@HOST:PORT/NAME."
        )
    return Server(
        host=unquote(parts.hostname),
        port=port,
        user=unquote(parts.username or "postgres"),
        password=unquote(parts.password or ""),
        dbname=unquote(parts.path.strip("/")),
        origin="DATABASE_URL",
        options=dict(parse_qsl(parts.query)),
    )


def named(environ: Mapping[str, str]) -> Server | None:
    """The server that the environment names, whether or not it answers."""
    if environ.get("DATABASE_URL"):
        return parse_url(environ["DATABASE_URL"])
    if environ.get("PGHOST"):
        user, port = environ.get("PGUSER", "postgres"), environ.get("PGPORT", "5432")
        if not port.isdecimal():
            raise ServerUnavailable(f"PGPORT is {port!r}; it must be a port number.")
        return Server(
            host=environ["PGHOST"],
            port=int(port),
            user=user,
            password=environ.get("PGPASSWORD", ""),
            dbname=environ.get("PGDATABASE", user),
            origin="PGHOST",
        )
    return None


def check_answers(server: Server) -> None:
    """:raises ServerUnavailable: if nothing listens there."""
    if server.host.startswith("/"):
        if not os.path.exists(f"{server.host}/.s.PGSQL.{server.port}"):
            raise ServerUnavailable(
                f"No PostgreSQL socket in {server.host} for port {server.port} "
                f"({server.origin} names it)."
            )
        return
    try:
        socket.create_connection((server.host, server.port), timeout=5).close()
    except OSError as error:
        raise ServerUnavailable(
            f"No PostgreSQL answers at {server.host}:{server.port} "
            f"({server.origin} names it): {error.strerror or error}."
        ) from None


@contextmanager
def server(environ: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A server for the time of the block.

    :raises ServerUnavailable: where none of the three ways gives one.
    """
    environ = os.environ if environ is None else environ
    found = named(environ)
    provider = environ.get("PG_PROVIDER", "embedded")
    if found is not None:
        check_answers(found)
        yield found
    elif provider == "container":
        with container(environ.get("PG_IMAGE", DEFAULT_IMAGE)) as started:
            yield started
    elif provider == "embedded":
        with embedded() as started:
            yield started
    else:
        raise ServerUnavailable(f"PG_PROVIDER is {provider!r}; it can be {' or '.join(PROVIDERS)}.")


@contextmanager
def container(image: str) -> Iterator[Server]:
    """A container, through testcontainers."""
    try:
        try:
            from testcontainers.community.postgres import PostgresContainer
        except ImportError:  # older ones
            from testcontainers.postgres import PostgresContainer
    except ImportError:
        raise ServerUnavailable(
            "PG_PROVIDER=container needs testcontainers: pip install testcontainers."
        ) from None
    try:
        made = PostgresContainer(image, driver=None)
        made.start()
    except Exception as error:  # docker's and testcontainers' errors have no common base
        raise ServerUnavailable(
            f"The container {image!r} did not start; does a container engine answer? "
            f"({type(error).__name__}: {error})"
        ) from None
    try:
        yield Server(
            host=made.get_container_host_ip(),
            port=int(made.get_exposed_port(5432)),
            user=made.username,
            password=made.password,
            dbname=made.dbname,
            origin=f"container {image}",
        )
    finally:
        made.stop()


@contextmanager
def embedded() -> Iterator[Server]:
    """A server from PyPI wheels, in a process group of its own.

    ``matrix.embedded`` runs it and ends it when the pipe from this process closes, so that it
    ends with this process even if that is killed.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "matrix.embedded"],
        cwd=os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a Ctrl-C is for us; we then end the server in order
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        kind, _, rest = process.stdout.readline().strip().partition(" ")
        if kind != "ready":
            raise ServerUnavailable(
                rest
                or "The embedded PostgreSQL did not start. Set DATABASE_URL to a server that you "
                "have, or PG_PROVIDER=container where a container engine runs."
            )
        port, password = rest.split(" ")
        yield Server("127.0.0.1", int(port), "postgres", password, "postgres", "embedded")
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def run(command: list[str]) -> int:
    """Run *command* with DATABASE_URL set; its exit code."""
    with server() as started:
        if not command:
            print(f"PostgreSQL ({started.origin}) at {started.url} — Ctrl-C ends it", flush=True)
            threading.Event().wait()
        environ = {**os.environ, "DATABASE_URL": started.url}
        child = subprocess.Popen(command, env=environ)
        # Ctrl-C reaches the child from the terminal, and a polite kill from here: it ends, then
        # the server does.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        return child.wait()


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's & has it ignored
    command = arguments[1:] if arguments[:1] == ["--"] else arguments
    try:
        return run(command)
    except ServerUnavailable as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
