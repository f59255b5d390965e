"""Celery's application, as its documentation has it; the tasks are in ``tasks.py``."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import worker_init

app = Celery("site", broker=os.environ["SITE_REDIS"], backend=os.environ["SITE_REDIS"])
app.conf.broker_connection_retry_on_startup = True
app.conf.worker_prefetch_multiplier = 1
if "SITE_REUSE" in os.environ:  # Celery reads this one by its full name, in any namespace
    app.conf.CELERY_DB_REUSE_MAX = int(os.environ["SITE_REUSE"])
app.autodiscover_tasks(["tests.servers.site"])


@worker_init.connect
def use_the_database(**kwargs: Any) -> None:
    """In the worker's own process, which keeps the connection: before its children are there."""
    if "SITE_PRELOAD" in os.environ:
        from .work import ask

        print(f"the worker's session: {ask('SELECT pg_backend_pid()')}", flush=True)
