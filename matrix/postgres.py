"""A PostgreSQL server for whoever needs one: the tests, the demo, the load suite, you.

The server that ``DATABASE_URL`` (or ``PGHOST`` and its kin) names goes before all others. Else one
is started, in a temporary folder and gone with the process that wanted it; ``PG_PROVIDER`` says
which: ``embedded`` (the default), from the PyPI wheel or, for a certain ``PG_VERSION``, downloaded;
``postgis``, from the system's packages; ``pgbouncer``, the embedded one behind a PgBouncer; or
``container`` (image in ``PG_IMAGE``).

As a command, ``python -m matrix.postgres -- COMMAND ...`` runs a command with ``DATABASE_URL``
set; without a command it prints the URL and serves until Ctrl-C.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from .addresses import (
    Server,
    ServerAbsent,
    ServerUnavailable,
    check_answers,
    named,
    parse_url,
)
from .processes import started

__all__ = [
    "Server",
    "ServerAbsent",
    "ServerUnavailable",
    "check_answers",
    "named",
    "parse_url",
    "server",
]

DEFAULT_VERSION = "18"
PROVIDERS = ("container", "embedded", "pgbouncer", "postgis")


@contextmanager
def server(environ: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A server for the time of the block.

    :raises ServerUnavailable: where there is none.
    :raises ServerAbsent: where there is none because something is not installed.
    """
    environ = os.environ if environ is None else environ
    found = named(environ)
    provider = environ.get("PG_PROVIDER") or "embedded"
    if found is not None:
        check_answers(found)
        yield found
    elif provider == "container":
        version = environ.get("PG_VERSION") or DEFAULT_VERSION
        with container(environ.get("PG_IMAGE") or f"postgres:{version}") as contained:
            yield contained
    elif provider == "pgbouncer":
        with embedded(environ) as behind, pgbouncer(behind, environ) as front:
            yield front
    elif provider in PROVIDERS:
        with embedded(environ) as own:
            yield own
    else:
        known = f"{', '.join(PROVIDERS[:-1])} or {PROVIDERS[-1]}"
        raise ServerUnavailable(f"PG_PROVIDER is {provider!r}; it can be {known}.")


@contextmanager
def container(image: str) -> Iterator[Server]:
    """A container, through testcontainers."""
    try:
        try:
            from testcontainers.community.postgres import PostgresContainer
        except ImportError:  # older ones
            from testcontainers.postgres import PostgresContainer
    except ImportError:
        raise ServerAbsent(
            "PG_PROVIDER=container needs testcontainers: pip install testcontainers."
        ) from None
    try:
        made = PostgresContainer(image, driver=None)
        made.start()
    except Exception as error:  # docker's and testcontainers' errors have no common base
        raise ServerAbsent(
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
def embedded(environ: Mapping[str, str]) -> Iterator[Server]:
    """A server of our own, on the programs that ``matrix.binaries`` finds."""
    with started("matrix.embedded", environ) as (port, password, origin):
        yield Server("127.0.0.1", port, "postgres", password, "postgres", origin)


@contextmanager
def pgbouncer(behind: Server, environ: Mapping[str, str]) -> Iterator[Server]:
    """A PgBouncer in transaction mode in front of *behind*."""
    told = (behind.port, behind.user, behind.password)
    with started("matrix.pgbouncer", environ, *told) as (port, password, origin):
        origin = f"{origin}, {behind.origin}"
        yield Server(behind.host, port, behind.user, password, behind.dbname, origin, direct=behind)


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
    if arguments[:1] in (["-h"], ["--help"]):
        print(__doc__)
        return 0
    command = arguments[1:] if arguments[:1] == ["--"] else arguments
    if command and shutil.which(command[0]) is None:
        print(f"error: there is no command {command[0]!r}", file=sys.stderr)
        return 127  # as a shell says it
    try:
        return run(command)
    except ServerUnavailable as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
