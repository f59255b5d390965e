"""Celery's tasks."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from django.db import OperationalError

from . import work

visit = shared_task(work.visit, name="visit")
stay = shared_task(work.stay, name="stay")
stats = shared_task(work.stats, name="stats")


@shared_task(
    name="lose",
    bind=True,
    autoretry_for=[OperationalError],
    default_retry_delay=0,
    max_retries=3,
)
def lose(self: Any, times: int) -> int:
    """End the session of its own so many times; how often it was tried again."""
    if self.request.retries < times:
        work.ask("SELECT pg_terminate_backend(pg_backend_pid())")
    assert work.ask("SELECT 1") == 1
    retries: int = self.request.retries
    return retries
