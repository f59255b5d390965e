from __future__ import annotations

from django.urls import path

from . import views

app_name = "shop"
urlpatterns = [
    path("", views.index, name="index"),
    path("about/", views.about, name="about"),
    path("products/", views.products, name="products"),
    path("products/<int:product_id>/", views.product, name="product"),
    path("orders/", views.orders, name="orders"),
    path("slow/", views.slow, name="slow"),
    path("wait/", views.wait, name="wait"),
    path("fail/", views.fail, name="fail"),
    path("export/", views.export, name="export"),
]
