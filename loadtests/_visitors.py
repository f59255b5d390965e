"""Who comes to the shop, and what they do there.

Several base URLs in ``--host``, with commas between them, are several sites: visitors spread over
them evenly, and stay where they are.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from locust import HttpUser, between, task
from requests.exceptions import ReadTimeout

PRODUCTS = 500

#: How many visitors of each class have come.
_come: Counter[type[HttpUser]] = Counter()


def any_product() -> int:
    return random.randint(1, PRODUCTS)


class Visitor(HttpUser):
    """What all have in common; not a visitor itself."""

    abstract = True
    host = "http://127.0.0.1:8000"
    wait_time = between(0.1, 0.5)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        sites = (self.host or "").split(",")
        self.site = _come[type(self)] % len(sites)
        _come[type(self)] += 1
        self.host = sites[self.site]
        begin: Any = super().__init__  # untyped
        begin(*args, **kwargs)

    def context(self) -> dict[str, Any]:
        """What is told with each request: the number of its site."""
        return {"site": self.site}


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


# -- in scenarios only


class Waiter(Visitor):
    """Has the site wait long for something else between two reads."""

    @task
    def wait_long(self) -> None:
        self.client.get("/wait/?seconds=1", name="/wait/ of 1 s")


class Slow(Visitor):
    """Asks what takes the database a second."""

    @task
    def ask(self) -> None:
        self.client.get("/slow/?seconds=1", name="/slow/ of 1 s")


class Holder(Visitor):
    """Keeps a transaction open for two seconds, idle for most of them."""

    @task
    def hold(self) -> None:
        self.client.get("/wait/?seconds=2&atomic=1", name="/wait/ in a transaction")


class HangsUp(Visitor):
    """Has gone before the answer comes; the site finds out when it answers."""

    @task
    def hang_up(self) -> None:
        with self.client.get(
            "/slow/?seconds=0.5", name="/slow/, hung up", timeout=0.1, catch_response=True
        ) as response:
            if isinstance(response.error, ReadTimeout):
                response.success()
            elif response.ok:
                response.failure("answered before the visitor could hang up")


class TimedOut(Visitor):
    """Asks what the site gives up in mid-query, by a ``gevent.Timeout``."""

    @task
    def ask(self) -> None:
        with self.client.get(
            "/slow/?seconds=5&limit=0.1", name="/slow/, killed", catch_response=True
        ) as response:
            if response.status_code == 504:
                response.success()
            else:
                response.failure(f"expected 504, got {response.status_code}")
