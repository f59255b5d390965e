"""One contender: a process that runs its workload as often as it is told to.

It reads a line of JSON that says what it is, answers ``{"ready": ...}`` (or ``{"absent": ...}``,
where the settings are refused), and then one line of figures for each order.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable
from importlib import metadata
from typing import Any

from gevent import get_hub, monkey

from .sampler import Sampler

#: What the figures depend on, besides this repository.
LIBRARIES = (
    *("Django", "gevent", "greenlet", "psycopg", "psycopg-binary", "psycopg2-binary"),
    *("psycogreen", "psycopg-pool", "SQLAlchemy", "django-db-geventpool"),
    *("django-db-connection-pool", "django-pg-real-pool"),
)


def versions() -> dict[str, str]:
    found = {"Python": sys.version.split()[0]}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def read() -> Any:
    """The next line, read in a thread so that the greenlets of a pool go on; None at the end."""
    line = get_hub().threadpool.apply(sys.stdin.readline)
    return json.loads(line) if line else None


def obey(run: Callable[[int], dict[str, Any]], order: dict[str, Any]) -> dict[str, Any]:
    """One run; its ``shares`` too, if a ``profile`` is wanted."""
    if not order.get("profile"):
        return run(order["count"])
    with Sampler() as sampler:
        figures = run(order["count"])
    return {**figures, "shares": sampler.shares()}


def main() -> int:
    monkey.patch_all()
    # Whatever else prints must not come between the answers.
    with os.fdopen(os.dup(1), "w", buffering=1) as answers:
        os.dup2(2, 1)
        told = read()
        from django.core.exceptions import ImproperlyConfigured

        workload = importlib.import_module(f"benchmarks.workloads.{told['workload']}")
        try:
            run = workload.prepare(told)
        except ImproperlyConfigured as refused:
            print(json.dumps({"absent": str(refused)}), file=answers)
            return 0
        print(json.dumps({"ready": versions()}), file=answers)
        while (order := read()) is not None:
            print(json.dumps(obey(run, order)), file=answers)
    return 0


if __name__ == "__main__":
    os._exit(main())  # thousands may wait for ever, and a pool may wait for them
