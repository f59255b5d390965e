"""Visitors of the demo site, and a verdict on its connection pool.

The suite asks one thing: while many greenlets want the database at once, does each worker process
keep to ``MAX_CONNS`` connections, fall back to ``REUSE_CONNS`` when they have gone, and answer
everybody in time? It counts sessions in ``pg_stat_activity``, so it asks the server, not the pool.

30 seconds with 100 users are enough: the peak comes with the arrival of the users. Start the site
on the database that ``DATABASE_URL`` names, then::

    locust -f loadtests/ --headless -u 100 -r 50 -t 30s

Without ``--headless`` the tab Pool of Locust's web interface shows the site's pools under the load.
The exit code is the verdict: 0 passed, 1 failed, 2 there was nothing to test. ``-H`` names a site
elsewhere than at http://127.0.0.1:8000. Limits: ``--max-failure-ratio``, ``--max-p95``,
``--max-conns``, ``--reuse-conns``.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from locust import HttpUser, between, events, task

# Locust may be started in any folder; the suite needs its neighbours.
sys.path.append(str(Path(__file__).resolve().parent.parent))

from loadtests._verdict import hook_in

PRODUCTS = 500

hook_in(events)


def any_product() -> int:
    return random.randint(1, PRODUCTS)


class Visitor(HttpUser):
    """What all have in common; not a visitor itself."""

    abstract = True
    host = "http://127.0.0.1:8000"
    wait_time = between(0.1, 0.5)


class Browser(Visitor):
    """Reads: many short borrowings. Most visitors are like this."""

    weight = 6

    @task(4)
    def look_at_product(self) -> None:
        self.client.get(f"/products/{any_product()}/", name="/products/[id]/")

    @task(1)
    def look_at_list(self) -> None:
        self.client.get("/products/")


class Buyer(Visitor):
    """Looks, then orders: writes within a transaction."""

    weight = 3

    @task
    def order(self) -> None:
        product = any_product()
        self.client.get(f"/products/{product}/", name="/products/[id]/")
        order = {"product": product, "quantity": random.randint(1, 3)}
        with self.client.post("/orders/", data=order, catch_response=True) as response:
            if response.status_code != 201:
                response.failure(f"expected 201 Created, got {response.status_code}")


class Analyst(Visitor):
    """Keeps connections busy for long: slow queries and streamed exports."""

    weight = 3

    @task(4)
    def report(self) -> None:
        self.client.get("/slow/?seconds=0.2", name="/slow/")

    @task(1)
    def export(self) -> None:
        self.client.get("/export/")


class Payer(Visitor):
    """Has the site wait for something else than the database between two reads."""

    weight = 2

    @task
    def pay(self) -> None:
        self.client.get("/wait/?seconds=0.1", name="/wait/")


class Stumbler(Visitor):
    """Runs into a failing query, which must not harm the connection for the next visitor."""

    weight = 1

    @task
    def stumble(self) -> None:
        with self.client.get("/fail/", catch_response=True) as response:
            if response.status_code == 500 and '"DataError"' in (response.text or ""):
                response.success()
            else:
                response.failure(f"expected 500 with DataError, got {response.status_code}")
