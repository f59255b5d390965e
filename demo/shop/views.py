"""The endpoints: each one asks something different of the pool."""

from __future__ import annotations

import contextlib
import csv
import functools
import io
import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import django
import gevent
from django.conf import settings
from django.db import Error, connection, transaction
from django.db.backends.postgresql.psycopg_any import is_psycopg3
from django.db.models import Count, F
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from .models import Category, Product, place_order

MAX_SECONDS = 10.0
MAX_QUANTITY = 100
SHOWN = ("id", "name", "price", "stock", "sold")
#: The states of a connection slot, as the pool's statistics call them.
SLOTS = ("in_use", "opening", "idle", "closing", "empty")


class BadInput(ValueError):
    """The message tells the caller what would have been accepted."""


def json_errors(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Answer what the caller did wrong in JSON."""

    @functools.wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except BadInput as error:
            return JsonResponse({"error": str(error)}, status=400)
        except Product.DoesNotExist:
            return JsonResponse({"error": "There is no product with this id."}, status=404)

    return answer


def seconds(request: HttpRequest, default: float, field: str = "seconds") -> float:
    given = request.GET.get(field, default)
    try:
        value = float(given)
    except ValueError:
        value = -1.0
    if not 0 <= value <= MAX_SECONDS:
        raise BadInput(f"{field} is {given!r}; accepted is a number from 0 to {MAX_SECONDS:g}.")
    return value


def whole_number(request: HttpRequest, field: str) -> int:
    given = request.POST.get(field, "")
    try:
        return int(given)
    except ValueError:
        raise BadInput(f"{field} is {given!r}; accepted is a whole number.") from None


def driver() -> str:
    if is_psycopg3:
        import psycopg

        return f"psycopg {psycopg.__version__}"
    import psycopg2

    return f"psycopg2 {psycopg2.__version__.split()[0]}"


def pool_figures() -> dict[str, Any] | None:
    """This worker's pool at this moment; None on an engine that has none of ours."""
    if not hasattr(connection, "geventpool"):
        return None
    stats = connection.geventpool.stats()
    slots = [(name, getattr(stats, name)) for name in SLOTS]
    return {
        "size": stats.size,
        "waiting": stats.waiting,
        "slots": [(name.replace("_", " "), count, range(count)) for name, count in slots],
    }


def index(request: HttpRequest) -> HttpResponse:
    page = {
        "best_sellers": list(Product.objects.select_related("category").order_by("-sold")[:10]),
        "about": about_site(),
        "django": django.get_version(),
        "pid": os.getpid(),
        "max_quantity": MAX_QUANTITY,
    }
    page["pool"] = pool_figures()  # after the query, so that this page's own connection shows
    return render(request, "shop/index.html", page)


def about_site() -> dict[str, object]:
    return {
        "site": "django-db-geventpool demo",
        "engine": settings.DEMO_ENGINE,
        "driver": driver(),
        "max_conns": settings.DEMO_MAX_CONNS,
        "reuse_conns": settings.DEMO_REUSE_CONNS,
        "release": settings.DEMO_RELEASE,
        "workers": settings.DEMO_WORKERS,
        "application_name": settings.DEMO_APPLICATION_NAME,
    }


def about(request: HttpRequest) -> HttpResponse:
    """No query: whether the site is up does not depend on the database."""
    return JsonResponse(about_site())


def products(request: HttpRequest) -> HttpResponse:
    categories = Category.objects.annotate(count=Count("products")).values("id", "name", "count")
    shown = Product.objects.values(*SHOWN)
    return JsonResponse(
        {
            "count": Product.objects.count(),
            "categories": list(categories),
            "newest": list(shown.order_by("-created")[:10]),
            "best_sellers": list(shown.order_by("-sold")[:10]),
        }
    )


@json_errors
def product(request: HttpRequest, product_id: int) -> HttpResponse:
    shown = Product.objects.values(*SHOWN, category_name=F("category__name"))
    return JsonResponse(shown.get(pk=product_id))


@csrf_exempt
@require_POST
@json_errors
def orders(request: HttpRequest) -> HttpResponse:
    product_id, quantity = whole_number(request, "product"), whole_number(request, "quantity")
    if not 1 <= quantity <= MAX_QUANTITY:
        raise BadInput(f"quantity is {quantity}; accepted is 1 to {MAX_QUANTITY}.")
    line = place_order(product_id, quantity)
    return JsonResponse(
        {
            "order": line.order_id,
            "product": line.product_id,
            "quantity": quantity,
            "total": quantity * line.price,
            "stock": line.product.stock,
        },
        status=201,
    )


@json_errors
def slow(request: HttpRequest) -> HttpResponse:
    """Holds a connection, which works; for *limit* seconds at most, if they are given."""
    asked = seconds(request, 0.2)
    limit = seconds(request, MAX_SECONDS, "limit") if "limit" in request.GET else None
    try:
        with gevent.Timeout(limit), connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(%s)", [asked])
    except gevent.Timeout:  # in mid-query: the pool has to see to that session
        return JsonResponse({"error": f"not done within {limit:g} seconds"}, status=504)
    return JsonResponse({"seconds": asked})


@json_errors
def wait(request: HttpRequest) -> HttpResponse:
    """Holds a connection, which idles: from the first query on, until the request ends.

    With ``atomic`` within a transaction, which no RELEASE ends earlier.
    """
    asked = seconds(request, 0.1)
    with transaction.atomic() if "atomic" in request.GET else contextlib.nullcontext():
        before = Product.objects.count()
        time.sleep(asked)
        after = Product.objects.count()
    return JsonResponse({"seconds": asked, "before": before, "after": after})


def fail(request: HttpRequest) -> HttpResponse:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1/0")
    except Error as error:
        name, message = type(error).__name__, str(error).partition("\n")[0]
        return JsonResponse({"error": name, "message": message}, status=500)
    return JsonResponse({})


def csv_line(values: Iterable[object]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(values)
    return line.getvalue()


def export(request: HttpRequest) -> StreamingHttpResponse:
    """Holds a connection until the last line has left, or the client has."""

    def lines() -> Iterator[str]:
        yield csv_line(SHOWN)
        for row in Product.objects.order_by("pk").values_list(*SHOWN).iterator():
            yield csv_line(row)

    disposition = {"Content-Disposition": 'attachment; filename="products.csv"'}
    return StreamingHttpResponse(lines(), content_type="text/csv", headers=disposition)
