"""Sentry: spans of a request's queries; errors without the password of the database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.db import connections

from matrix.postgres import parse_url

from ..tasks import spawn, until
from .running import SITE, Running, Start, serve

PASSWORD = "unmistakable-to-whoever-looks-for-it"
STATEMENTS = [
    'INSERT INTO "site_visit" ("key") VALUES (%s) RETURNING "site_visit"."id"',
    'SELECT "site_visit"."id", "site_visit"."key" FROM "site_visit" '
    'WHERE "site_visit"."key" = %s LIMIT 21',
    "SELECT pg_backend_pid()",
    'SELECT "site_visit"."id", "site_visit"."key" FROM "site_visit" WHERE "site_visit"."key" = %s',
]


@pytest.fixture
def database_url(site_database: str) -> Iterator[str]:
    """The URL of the site's database with a password that is found wherever it gets to."""
    server = parse_url(site_database)
    with connections["observer"].cursor() as cursor:
        cursor.execute(f"CREATE ROLE watched LOGIN IN ROLE \"{server.user}\" PASSWORD '{PASSWORD}'")
        yield replace(server, user="watched", password=PASSWORD).url
        cursor.execute("DROP ROLE watched")


def sentry(start: Start, database: str, **options: Any) -> Running:
    environ = {"DATABASE_URL": database, "DJANGO_SETTINGS_MODULE": f"{SITE}.sentry"}
    return serve(start, options=options, **environ)


def sent(site: Running, kind: str | None = None) -> list[Any]:
    """The transactions, or the errors, which have no type."""
    lines = [line for line in site.log().splitlines() if line.startswith("sent: ")]
    items = [json.loads(line.partition(" ")[2]) for line in lines]
    return [item for item in items if item.get("type") == kind]


def frames(exception: Any) -> list[Any]:
    found: list[Any] = exception["stacktrace"]["frames"]
    return found


@pytest.mark.parametrize(("release", "connects"), [("request", 1), ("transaction", 3)])
def test_a_request_has_a_span_for_each_query_and_checkout(
    start: Start, site_database: str, release: str, connects: int
) -> None:
    site = sentry(start, site_database, RELEASE=release)
    for number in range(2):  # the first one has to open a connection
        site.queries()
        transaction = until(lambda number=number: sent(site, "transaction")[number:])[0]
        spans = [span["description"] for span in transaction["spans"] if span["op"] == "db"]
        assert [span for span in spans if span != "connect"] == STATEMENTS
        assert spans.count("connect") == connects
        assert spans[0] == "connect"
    assert not sent(site)


def test_pool_timeouts_are_one_issue_without_the_password(start: Start, database_url: str) -> None:
    site = sentry(start, database_url, MAX_CONNS=1, WAIT_TIMEOUT=0.1)
    with site.exhausted():
        for asking in [spawn(site.ask, "/queries/?key=none") for _ in range(2)]:
            assert asking.result()[0].status == 500
        events = until(lambda: sent(site)[1:] and sent(site))
    issues = set()
    for event in events:
        (exception,) = event["exception"]["values"]
        assert exception["value"].startswith("pool 'default': no connection became free within")
        # https://docs.sentry.io/concepts/data-management/event-grouping/
        where = tuple((frame["module"], frame["function"]) for frame in frames(exception))
        issues.add((exception["module"], exception["type"], where))
    ((module, name, where),) = issues
    assert (module, name) == ("django_db_geventpool.errors", "PoolTimeout")
    assert ("tests.servers.site.work", "queries") in where
    assert_locals_without_the_password(site)


@pytest.mark.parametrize(
    ("user", "size", "name"),
    [("nobody", 1, "OperationalError"), ("watched", 0, "ImproperlyConfigured")],
    ids=["refused", "misconfigured"],
)
def test_no_other_error_shows_the_password(
    start: Start, database_url: str, user: str, size: int, name: str
) -> None:
    server = replace(parse_url(database_url), user=user)
    site = sentry(start, server.url, MAX_CONNS=size, sslpassword=PASSWORD)
    assert site.ask("/queries/?key=none")[0].status == 500
    event = until(lambda: sent(site))[0]
    assert event["exception"]["values"][-1]["type"] == name
    assert_locals_without_the_password(site)


def assert_locals_without_the_password(site: Running) -> None:
    """Whatever was sent. The parameters of a connection are among the variables of its frames."""
    event = sent(site)[0]
    variables = [frame["vars"] for value in event["exception"]["values"] for frame in frames(value)]
    assert any("conn_params" in each for each in variables)
    assert PASSWORD not in site.log()
