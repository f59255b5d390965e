"""``path("pool/", include("django_db_geventpool.contrib.monitor.urls"))``."""

from __future__ import annotations

from django.urls import path

from . import begin, views

app_name = "geventpool"
urlpatterns = [
    path("", views.page, name="page"),
    path("status.json", views.status, name="status"),
    path("metrics", views.metrics, name="metrics"),
    path("<str:name>", views.part, name="part"),
]

begin()
