"""What a run depends on, checked before it starts: the database and the site."""

from __future__ import annotations

import os
from dataclasses import dataclass

import psycopg
import requests

from loadtests import _sampler
from matrix import postgres

SITE = "django-db-geventpool demo"
TIMEOUT = 10.0


class Unusable(Exception):
    """There is nothing to test; the message is one sentence for a person to read."""


@dataclass(frozen=True)
class Site:
    """What the site says about itself."""

    host: str
    engine: str
    max_conns: int
    reuse_conns: int
    application_name: str
    """How the names of its sessions begin; each worker process appends its own id."""


def database() -> postgres.Server:
    """The server that ``DATABASE_URL``, or ``PGHOST`` and its kin, names, after a login.

    :raises Unusable: without the password in the message.
    """
    try:
        server = postgres.named(os.environ)
        if server is not None:
            postgres.check_answers(server)
    except postgres.ServerUnavailable as problem:
        raise Unusable(str(problem)) from None
    if server is None:
        raise Unusable(
            "DATABASE_URL is not set: it must name the database that the site works on, "
            "for the verdict counts the site's sessions there."
        )
    try:
        _sampler.connect(server.url).close()
    except psycopg.Error as problem:
        reason = str(problem).strip().splitlines()[0].rpartition("FATAL:")[2].strip()
        raise Unusable(
            f"PostgreSQL at {server.host}:{server.port} refuses the login that {server.origin} "
            f"names: {reason}."
        ) from None
    return server


def site(host: str) -> Site:
    """Ask the site what it is.

    :raises Unusable: if it does not answer, or is something else.
    """
    host = host.rstrip("/")
    try:
        answer = requests.get(f"{host}/about/", timeout=TIMEOUT)
    except requests.RequestException as problem:
        raise Unusable(
            f"No site answers at {host} ({type(problem).__name__}): start the demo site there, "
            "or name another host with -H."
        ) from None
    try:
        about = answer.json()
        if about["site"] != SITE:
            raise ValueError(about["site"])
        return Site(
            host=host,
            engine=str(about["engine"]),
            max_conns=int(about["max_conns"]),
            reuse_conns=int(about["reuse_conns"]),
            application_name=str(about["application_name"]),
        )
    except (ValueError, KeyError, TypeError):
        raise Unusable(
            f"What answers at {host} is not the demo site (status {answer.status_code} for "
            "/about/): name its host with -H."
        ) from None
