"""The views, each in an asynchronous version too."""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.http import HttpRequest, JsonResponse
from django.urls import path

from . import work
from .models import Visit


def visit(request: HttpRequest) -> JsonResponse:
    return JsonResponse(work.visit(request.GET["key"], float(request.GET.get("seconds", "0.02"))))


def queries(request: HttpRequest) -> JsonResponse:
    return JsonResponse(work.queries(request.GET["key"]))


def stay(request: HttpRequest) -> JsonResponse:
    return JsonResponse(work.stay(float(request.GET.get("seconds", "60"))))


def stats(request: HttpRequest) -> JsonResponse:
    return JsonResponse(work.stats())


async def async_visit(request: HttpRequest) -> JsonResponse:
    await Visit.objects.acreate(key=request.GET["key"])
    session = await sync_to_async(work.ask)("SELECT pg_backend_pid() FROM pg_sleep(0.02)")
    return JsonResponse({"key": request.GET["key"], "session": session})


async def async_stay(request: HttpRequest) -> JsonResponse:
    return JsonResponse(await sync_to_async(work.stay)(float(request.GET["seconds"])))


urlpatterns = [
    path("visit/", visit),
    path("queries/", queries),
    path("stay/", stay),
    path("stats/", stats),
    path("async/visit/", async_visit),
    path("async/stay/", async_stay),
]
