"""The views of the site, and ``metrics``."""

from __future__ import annotations

from django.urls import include, path

from ..urls import urlpatterns as views

urlpatterns = [*views, path("", include("django_prometheus.urls"))]
