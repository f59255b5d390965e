"""The page, the figures that it draws, and the same for Prometheus."""

from __future__ import annotations

import time
from importlib.resources import files
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse

from ...stats import BOUNDS
from ..group import publisher
from ..group.files import Reading
from ..group.snapshot import COLUMNS, INTERVAL, as_json
from .access import guarded, login_first

_FILES = files(__package__) / "page"
_KINDS = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


def asset(name: str) -> tuple[bytes, str]:
    """A file of the page, and its media type. Others may show the page, too: ``page.html`` asks for
    files like this one and for ``status.json`` beside itself, and for nothing else.

    :raises KeyError: if the page has no such file.
    """
    content = {each.name: each for each in _FILES.iterdir()}[name].read_bytes()
    return content, _KINDS[name.rpartition(".")[2]]


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
        "ended": sorted(reading.ended, key=lambda each: each["at"]),
        "totals": as_json(reading.totals()),
        "trouble": reading.trouble,
    }


@login_first
@guarded
def page(request: HttpRequest) -> HttpResponse:
    return _asset("page.html")


@guarded
def part(request: HttpRequest, name: str) -> HttpResponse:
    """What the page loads."""
    return _asset(name)


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
    try:
        content, media_type = asset(name)
    except KeyError:
        raise Http404(f"the page has no file of this name: {name!r}") from None
    return HttpResponse(content, content_type=media_type)
