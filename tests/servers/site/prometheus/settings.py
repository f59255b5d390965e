"""django-prometheus as its documentation has it, with its own ENGINE or the site's."""

from __future__ import annotations

import os

from ..settings import *  # noqa: F403
from ..settings import DATABASES, INSTALLED_APPS

DATABASES["default"]["ENGINE"] = os.environ.get("SITE_ENGINE", "tests.servers.site.prometheus")
INSTALLED_APPS = [*INSTALLED_APPS, "django_prometheus"]
MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]
ROOT_URLCONF = "tests.servers.site.prometheus.urls"
