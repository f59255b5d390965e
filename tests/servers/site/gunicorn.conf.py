"""gunicorn on gevent: what docs/servers.md recommends, and lines in the log for the tests."""

from __future__ import annotations

import os
from typing import Any

preload_app = bool(os.environ.get("SITE_PRELOAD"))
if preload_app:  # the worker class patches too late: Django is imported before the fork
    from gevent import monkey

    monkey.patch_all()

bind = "127.0.0.1:0"
workers = 2
worker_class = "gevent"
graceful_timeout = int(os.environ.get("SITE_GRACE", "20"))
control_socket_disable = True


def post_worker_init(worker: Any) -> None:
    if "SITE_METERING" in os.environ:
        from tests.servers.site import metering

        metering.begin(int(os.environ["SITE_METERING"]))


def worker_exit(server: Any, worker: Any) -> None:
    """Close the pool before the process ends: it waits for what is still being cancelled."""
    if os.getpid() != worker.pid:
        return  # the master calls it too, for a worker that is gone
    from django.db import connection

    pool = connection.geventpool  # type: ignore[attr-defined]
    print(f"worker {worker.pid} closed: {pool.close()}, {pool.stats()}", flush=True)


def on_exit(server: Any) -> None:
    if preload_app:
        from tests.servers.site.work import ask

        print("the early session at the end:", ask("SELECT pg_backend_pid()"), flush=True)
