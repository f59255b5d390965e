"""Very many requests at once to a process that has no connection yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent

from . import site
from .request import all_at_once


def prepare(told: dict[str, Any]) -> Callable[[int], dict[str, float]]:
    """``arguments``: how many ``sessions`` the server must admit, for those without a pool."""
    site.configure(told)
    read = site.make_read()
    wait_for_room(told["arguments"]["sessions"])

    def request(number: int) -> None:
        read(number)
        site.end_request()

    return all_at_once(request)


def wait_for_room(sessions: int) -> None:
    """Until those of the run before have left the server.

    :raises ImproperlyConfigured: if it never has so many.
    """
    from django.core.exceptions import ImproperlyConfigured
    from django.db import connections

    with connections["stock"].cursor() as cursor:
        cursor.execute("SHOW max_connections")
        (limit,) = cursor.fetchone()
        if int(limit) < sessions:
            raise ImproperlyConfigured(f"the server admits {limit} connections, not {sessions}")
        used = sessions
        while int(limit) - used < sessions:
            gevent.sleep(0.05)
            cursor.execute("SELECT count(*) FROM pg_stat_activity")
            (used,) = cursor.fetchone()
    connections["stock"].close()
