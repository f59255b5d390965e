"""django-tenants as its documentation has it, with our engine as ORIGINAL_BACKEND."""

from __future__ import annotations

import os

from ..settings import *  # noqa: F403
from ..settings import DATABASES

DATABASES["default"]["ENGINE"] = "django_tenants.postgresql_backend"
ORIGINAL_BACKEND = "django_db_geventpool.backends.postgresql_psycopg"
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
MIDDLEWARE = ["django_tenants.middleware.main.TenantMainMiddleware"]
SHARED_APPS = ["django_tenants", "django.contrib.contenttypes", "tests.servers.site.tenants"]
TENANT_APPS = ["tests.servers.site"]
INSTALLED_APPS = [*SHARED_APPS, *TENANT_APPS, "django_db_geventpool"]
ROOT_URLCONF = "tests.servers.site.tenants.urls"
TENANT_MODEL = "tenants.Tenant"
TENANT_DOMAIN_MODEL = "tenants.Domain"
TENANT_LIMIT_SET_CALLS = bool(os.environ.get("SITE_LIMIT_SET_CALLS"))
