"""URLs of a site that shows its pools, on a page and to Prometheus (multiprocess mode)."""

from __future__ import annotations

from django.core.signals import request_finished
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from django_db_geventpool.contrib.prometheus import PoolCollector

from . import urls

REQUESTS = Counter("site_requests", "A counter of the site's own.")


@receiver(request_finished)
def count(**kwargs: object) -> None:
    REQUESTS.inc()


def metrics(request: HttpRequest) -> HttpResponse:
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    registry.register(PoolCollector())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


urlpatterns = [
    *urls.urlpatterns,
    path("pool/", include("django_db_geventpool.contrib.monitor.urls")),
    path("metrics/", metrics),
]
