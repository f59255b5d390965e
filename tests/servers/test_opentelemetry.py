"""OpenTelemetry's instrumentation of psycopg: the same spans as with Django's own engine."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ..tasks import until
from .running import Running, Start, serve

DJANGOS_OWN = {"SITE_ENGINE": "django.db.backends.postgresql"}
#: What a new connection is told, and what a request asks; OpenTelemetry does not see the fourth
#: statement, which has a server-side cursor.
SET_UP = "SELECT set_config('TimeZone', %s, false)"
STATEMENTS = [
    'INSERT INTO "site_visit" ("key") VALUES (%s) RETURNING "site_visit"."id"',
    'SELECT "site_visit"."id", "site_visit"."key" FROM "site_visit" '
    'WHERE "site_visit"."key" = %s LIMIT 21',
    "SELECT pg_backend_pid()",
]

REQUEST = "SpanKind.SERVER"


def spans(site: Running) -> list[Any]:
    lines = [line for line in site.log().splitlines() if line.startswith("span: ")]
    return [json.loads(line.partition(" ")[2]) for line in lines]


def of_requests(site: Running, number: int) -> list[list[Any]]:
    """Those that each of so many requests has had, its own one last, which has ended last."""

    def requests() -> list[Any]:
        return [span for span in spans(site) if span["kind"] == REQUEST]

    until(lambda: len(requests()) == number)
    return [
        [span for span in spans(site) if span["context"]["trace_id"] == trace]
        for trace in [request["context"]["trace_id"] for request in requests()]
    ]


def without_parent(site: Running) -> list[str]:
    """The statements of such spans, in their order."""
    alone = [span for span in spans(site) if not span["parent_id"]]
    return [span["attributes"]["db.statement"] for span in alone if span["kind"] != REQUEST]


def described(span: Any) -> dict[str, Any]:
    """All that does not differ from one run to the other."""
    return {key: span[key] for key in ("name", "kind", "status", "attributes")}


@pytest.fixture(scope="module")
def expected(start_once: Start) -> list[Any]:
    """What a request leaves with Django's own engine, but for the set-up of its connection."""
    site = serve(start_once, "tracing", **DJANGOS_OWN)
    site.queries()
    ((set_up, *queries, _),) = of_requests(site, 1)
    site.end()
    assert set_up["attributes"]["db.statement"] == SET_UP
    assert [span["attributes"]["db.statement"] for span in queries] == STATEMENTS
    return [described(span) for span in queries]


@pytest.mark.parametrize("release", ["request", "transaction"])
def test_the_spans_of_a_request_are_those_of_djangos_own_engine(
    start: Start, expected: list[Any], release: str
) -> None:
    """The set-up is no request's: it is done once, for whoever uses the connection."""
    site = serve(start, "tracing", {"RELEASE": release})
    for _ in range(3):
        site.queries()
    for *queries, request in of_requests(site, 3):
        assert [described(span) for span in queries] == expected
        assert {span["parent_id"] for span in queries} == {request["context"]["span_id"]}
    assert without_parent(site) == [SET_UP]


def test_a_reset_with_discard_has_spans_of_its_own(start: Start, expected: list[Any]) -> None:
    site = serve(start, "tracing", {"RESET": "discard"})
    alone = [SET_UP]
    for number in range(2):
        site.queries()
        alone += ["DISCARD ALL", SET_UP]
        until(lambda alone=alone: without_parent(site) == alone)
        *queries, _ = of_requests(site, number + 1)[-1]
        assert [described(span) for span in queries] == expected


@pytest.mark.parametrize(("release", "checkouts"), [("request", 1), ("transaction", 3)])
def test_comments_in_the_statements_hold_no_connection(
    start: Start, release: str, checkouts: int
) -> None:
    """OpenTelemetry adds two: one that Django's cursor sees, and one that the driver's does."""
    site = serve(start, "tracing", {"RELEASE": release}, SITE_COMMENTER="yes")
    site.queries()
    ((*queries, _),) = of_requests(site, 1)
    assert len(queries) == len(STATEMENTS)
    for span, statement in zip(queries, STATEMENTS):
        told = span["attributes"]["db.statement"]
        assert told.startswith(f"{statement} /*")
        assert "route='queries/'" in told
        assert f"traceparent='00-{span['context']['trace_id'][2:]}" in told
    assert site.get("/stats/")["checkouts"] == checkouts
