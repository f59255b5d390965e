"""django-debug-toolbar: its SQL panel shows each query once, and holds no connection."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest

from ..tasks import spawn, until
from .running import SITE, Running, Start, serve

#: How often a request with four statements takes a connection.
RELEASES = pytest.mark.parametrize(("release", "checkouts"), [("request", 1), ("transaction", 3)])


def debugged(start: Start, release: str) -> Running:
    module = f"{SITE}.toolbar.settings"
    return serve(start, options={"RELEASE": release}, DJANGO_SETTINGS_MODULE=module)


def panel(site: Running, request: str) -> str:
    """The SQL panel of a request, in HTML."""
    found = site.get(f"/__debug__/render_panel/?request_id={request}&panel_id=SQLPanel")
    return str(found["content"])


def statements(html: str) -> list[str]:
    """As it shows them in full, without what makes them look nice."""
    spans = re.findall(r'<span class="djDebugCollapsed djdt-hidden">(.*?)</span>', html)
    return [" ".join(unescape(re.sub(r"<[^>]+>", " ", span)).split()) for span in spans]


@RELEASES
def test_the_panel_shows_each_query_once(start: Start, release: str, checkouts: int) -> None:
    site = debugged(start, release)
    for number in range(1, 4):
        answer, text = site.ask(f"/queries/?key={site.name}.{number}")
        key = json.loads(text)["key"]
        html = panel(site, answer.headers["djdt-request-id"])
        columns = '"site_visit"."id", "site_visit"."key"'
        select = f"""SELECT {columns} FROM "site_visit" WHERE "site_visit"."key" = '{key}'"""
        *others, last = statements(html)
        assert others == [
            f'INSERT INTO "site_visit" ("key") VALUES (\'{key}\') RETURNING "site_visit"."id"',
            f"{select} LIMIT 21",
            "SELECT pg_backend_pid()",
        ]
        assert re.fullmatch(f'DECLARE "[^"]+" [A-Z ]+ CURSOR [A-Z ]+ {re.escape(select)}', last)
        assert "(4 queries" in html
        assert html.count("djDebugLineChartInTransaction") == 2
        assert site.get("/stats/")["checkouts"] == number * checkouts


@RELEASES
def test_it_explains_a_query(start: Start, release: str, checkouts: int) -> None:
    site = debugged(start, release)
    html = panel(site, site.queries().headers["djdt-request-id"])
    forms = re.findall(r'name="signed" value="([^"]+)"', html)
    signed = unescape(forms[1])
    answer, text = site.ask("/__debug__/sql_explain/", form={"signed": signed})
    assert answer.status == 200, text
    assert "Scan" in text and "Execution Time" in text
    assert site.get("/stats/")["checkouts"] == checkouts + 1


@RELEASES
def test_connections_come_back_from_its_cursors(start: Start, release: str, checkouts: int) -> None:
    site = debugged(start, release)
    tasks = [spawn(site.queries) for _ in range(12)]
    assert 1 <= site.most_sessions(tasks) <= 3
    stats = until(lambda: (found := site.get("/stats/"))["in_use"] == 0 and found)
    assert stats["checkouts"] == 12 * checkouts
    assert stats["idle"] == len(site.sessions())
    assert (stats["reclaims"], stats["discards"]) == (0, {})
