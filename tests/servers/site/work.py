"""What views, tasks and commands have in common."""

from __future__ import annotations

import gc
import os
import sys
from dataclasses import asdict
from typing import Any

from django.db import connection, transaction

from .models import Visit

gc.disable()  # what comes back does so without a garbage collection


def ask(sql: str, *params: Any) -> Any:
    """The first value of the first row."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchone()[0]


def visit(key: str, seconds: float) -> dict[str, Any]:
    """Leave a row as soon as the work has begun, then let the server take its time."""
    Visit.objects.create(key=key)
    session = ask("SELECT pg_backend_pid() FROM pg_sleep(%s)", seconds)
    return {"key": key, "process": os.getpid(), "session": session}


def queries(key: str) -> dict[str, Any]:
    """Four statements: two in a transaction, one outside of any, one with a server-side cursor."""
    with transaction.atomic():
        Visit.objects.create(key=key)
        Visit.objects.get(key=key)
    session = ask("SELECT pg_backend_pid()")
    (visit,) = Visit.objects.filter(key=key).iterator()
    return {"key": visit.key, "session": session}


def stay(seconds: float) -> dict[str, Any]:
    """Ask something that takes so long that it is ended before; say in the log what has ended it.

    The wrapper is in a reference cycle, so that only a garbage collection would free it.
    """
    connection.in_a_cycle = connection  # type: ignore[attr-defined]
    try:
        return {"stayed": ask("SELECT pg_sleep(%s)", seconds)}
    finally:
        kind, _, _ = sys.exc_info()
        print(f"the work was ended by: {kind and kind.__name__}", flush=True)


def stats() -> dict[str, Any]:
    """What the pool of this process tells of itself; takes no connection."""
    pool = connection.geventpool  # type: ignore[attr-defined]
    found = pool.stats()
    return {
        "process": os.getpid(),
        "hub": pool.hub.NAME,
        **asdict(found),
        "empty": found.empty,
    }
