"""Where a server listens and as whom to log in; and what the environment says of it."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit


class ServerUnavailable(Exception):
    """There is no server to be had; the message is one sentence for a person to read."""


class ServerAbsent(ServerUnavailable):
    """PG_PROVIDER asks for something that is not installed here; the message says what."""


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
    direct: Server | None = None
    """Where this is a PgBouncer: the server behind it."""

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
        """The part of a Django ``DATABASES`` entry that says where.

        Through a PgBouncer without server-side cursors, as Django's documentation has it:
        https://docs.djangoproject.com/en/stable/ref/databases/#transaction-pooling-server-side-cursors
        """
        pooled = {} if self.direct is None else {"DISABLE_SERVER_SIDE_CURSORS": True}
        return {
            "NAME": self.dbname,
            "USER": self.user,
            "PASSWORD": self.password,
            "HOST": self.host,
            "PORT": str(self.port),
            "OPTIONS": dict(self.options),
            **pooled,
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
