"""A Django site of one table, ``benchmark_row``, and what a request to it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

ROWS = 1000


def configure(told: dict[str, Any]) -> None:
    """Settings with the contender as ``default``, and stock Django without a pool as ``stock``."""
    import django
    from django.conf import settings

    server = told["server"]
    where = {
        "NAME": server["dbname"],
        "USER": server["user"],
        "PASSWORD": server["password"],
        "HOST": server["host"],
        "PORT": str(server["port"]),
    }
    if told["lock"].endswith("psycopg2") and not told["ours"]:
        from psycogreen.gevent import patch_psycopg

        patch_psycopg()
    settings.configure(
        DATABASES={
            "default": {**where, **told["database"]},
            "stock": {**where, "ENGINE": "django.db.backends.postgresql", "CONN_MAX_AGE": 0},
        },
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
    )
    django.setup()


def make_read() -> Callable[[int], None]:
    """A function that reads one row by its primary key through the ORM."""
    from django.db import connections, models

    class Row(models.Model):
        name: models.CharField[str, str] = models.CharField(max_length=100)
        amount: models.IntegerField[int, int] = models.IntegerField()
        changed: models.DateTimeField[datetime, datetime] = models.DateTimeField()

        class Meta:
            app_label = "benchmarks"
            db_table = "benchmark_row"

    def read(number: int) -> None:
        Row.objects.get(pk=number % ROWS + 1)

    # What a process does only once, without the contender: imports and caches of the ORM.
    Row.objects.using("stock").get(pk=1)
    connections["stock"].close()
    return read


def handing_on(request: Callable[[int], None]) -> Callable[[int], None]:
    """Each request finds a wrapper that the one before has left, with an open connection.

    Less than that no pool can do: nothing is taken, set up, looked at or given back.
    """
    from django.db import connections

    free: list[Any] = []

    def serve(number: int) -> None:
        if free:
            connections["default"] = free.pop()
        else:
            connections["default"].inc_thread_sharing()
        request(number)
        free.append(connections["default"])

    return serve


def end_request() -> None:
    """What a server does after each response."""
    from django.core.signals import request_finished

    request_finished.send(sender="benchmarks")
