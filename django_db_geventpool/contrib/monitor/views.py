"""The page, the figures that it draws, and the same for Prometheus."""

from __future__ import annotations

import time
from importlib.resources import files
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from ...stats import BOUNDS
from . import publisher
from .access import guarded, login_first
from .group import Reading
from .snapshot import COLUMNS, INTERVAL, as_json

_KINDS = {"html": "text/html", "css": "text/css", "js": "text/javascript"}


def asset(name: str) -> tuple[bytes, str]:
    """A file of the page, and its media type. Others may show the page, too: it asks for
    ``page.css``, ``page.js`` and ``status.json`` beside itself, and for nothing else."""
    content = (files(__package__) / name).read_bytes()
    return content, f"{_KINDS[name.rpartition('.')[2]]}; charset=utf-8"


def status_of(reading: Reading) -> dict[str, Any]:
    """What the page draws."""
    now = time.time()
    return {
        "at": round(now, 3),
        "interval": INTERVAL,
        "columns": COLUMNS,
        "bounds": BOUNDS,
        "processes": [
            {**each, "age": round(max(0.0, now - each["at"]), 3)} for each in reading.living
        ],
        "totals": as_json(reading.totals()),
    }


@login_first
@guarded
def page(request: HttpRequest) -> HttpResponse:
    return _asset("page.html")


@guarded
def script(request: HttpRequest) -> HttpResponse:
    return _asset("page.js")


@guarded
def style(request: HttpRequest) -> HttpResponse:
    return _asset("page.css")


@guarded
def status(request: HttpRequest) -> HttpResponse:
    return JsonResponse(status_of(publisher.current().read()))


@guarded
def metrics(request: HttpRequest) -> HttpResponse:
    try:
        from prometheus_client import CollectorRegistry
        from prometheus_client.exposition import choose_encoder
    except ImportError:
        message = "Not installed: pip install 'django-db-geventpool[prometheus]'\n"
        return HttpResponse(message, status=501, content_type="text/plain")
    from ..prometheus import PoolCollector

    registry = CollectorRegistry()
    registry.register(PoolCollector())
    encoder, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encoder(registry), content_type=content_type)


def _asset(name: str) -> HttpResponse:
    content, media_type = asset(name)
    return HttpResponse(content, content_type=media_type)
