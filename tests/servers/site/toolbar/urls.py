"""The views of the site, and those of the toolbar."""

from __future__ import annotations

from debug_toolbar.toolbar import debug_toolbar_urls

from ..urls import urlpatterns as views

urlpatterns = [*views, *debug_toolbar_urls()]
