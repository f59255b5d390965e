from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("pool/", include("django_db_geventpool.contrib.monitor.urls")),
    path("", include("demo.shop.urls")),
]
