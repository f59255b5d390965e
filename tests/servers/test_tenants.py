"""django-tenants on top of the engine: the rows of one tenant are never seen by another."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ..tasks import spawn
from .running import PYTHON, SITE, Running, Start
from .test_gunicorn import CONFIGURATION

TENANTS = ("ada", "bob", "cleo")
SETTINGS = {"DJANGO_SETTINGS_MODULE": f"{SITE}.tenants.settings"}
CLIENTS, REQUESTS = 8, 8  # for each tenant


@pytest.fixture(scope="module")
def tenants(start_once: Start) -> None:
    """With a schema each."""
    for command in (["migrate_schemas", "--shared"], ["make_tenants", *TENANTS]):
        done = start_once(*PYTHON, "-m", "django", *command, **SETTINGS)
        assert done.wait() == 0, done.log()


@pytest.mark.parametrize(
    ("options", "limit_set_calls"),
    [
        ({"RESET": "rollback"}, ""),
        ({"RESET": "rollback"}, "yes"),
        ({"RESET": "discard"}, "yes"),
        ({"RELEASE": "transaction"}, "yes"),
    ],
    ids=["rollback-each-cursor", "rollback", "discard", "transaction"],
)
def test_rows_never_cross_tenants_under_load(
    start: Start, tenants: None, options: dict[str, Any], limit_set_calls: str
) -> None:
    """One worker and two connections for 24 clients, of whom some are cut short in a query."""
    environ = {**SETTINGS, "SITE_LIMIT_SET_CALLS": limit_set_calls}
    environ["SITE_OPTIONS"] = json.dumps({"MAX_CONNS": 2, **options})
    site = start(
        *PYTHON, "-m", "gunicorn", "-c", CONFIGURATION, "-w", "1", f"{SITE}.wsgi", **environ
    ).listens(r"Listening at: http://(\S+)")
    clients = [spawn(use, site, tenant, client) for client in range(CLIENTS) for tenant in TENANTS]
    assert 1 <= site.most_sessions(clients) <= 2
    assert site.stop() == 0
    assert "closed: True, MAX_CONNS 2, 0 in use, 0 idle" in site.log()
    assert not site.sessions()


def use(site: Running, tenant: str, client: int) -> None:
    host = f"{tenant}.localhost"
    for number in range(REQUESTS):
        key = f"{tenant}-{site.name}-{client}-{number}"
        answer = site.get(f"/rows/?key={key}", host=host)
        assert answer["schema"] == tenant
        assert key in answer["rows"]
        assert {row.partition("-")[0] for row in answer["rows"]} == {tenant}
        if client == 0:
            site.get("/lost/", host=host)
