"""Views that tell which tenant's rows they see."""

from __future__ import annotations

import gevent
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.urls import path

from .. import work
from ..models import Visit


def rows(request: HttpRequest) -> JsonResponse:
    """Read, write and read again, with time for others in between.

    The connection that the middleware has used is given back first: what follows may get any.
    """
    connection.close()
    before = [visit.key for visit in Visit.objects.iterator()]  # a server-side cursor
    answer = work.visit(request.GET["key"], 0.01)
    after = list(Visit.objects.values_list("key", flat=True))
    schema = work.ask("SELECT current_schema()")
    return JsonResponse({**answer, "schema": schema, "rows": before + after})


def lost(request: HttpRequest) -> JsonResponse:
    """A request that is cut short in a query, in the midst of a tenant's transaction."""
    with gevent.Timeout(0.02, False):
        work.ask("SELECT count(*) FROM site_visit, pg_sleep(60)")
    return JsonResponse({"lost": True})


urlpatterns = [path("rows/", rows), path("lost/", lost)]
