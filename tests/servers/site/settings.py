"""Settings; the environment says which database, how sessions are called, and other ``OPTIONS``."""

from __future__ import annotations

import json
import os

from matrix.postgres import parse_url

_server = parse_url(os.environ["DATABASE_URL"])
#: Or Django's own, or another one that has no pool, to compare with.
_engine = os.environ.get("SITE_ENGINE", "django_db_geventpool.backends.postgresql_psycopg")

DATABASES = {
    "default": {
        "ENGINE": _engine,
        **_server.django,
        "OPTIONS": {
            **_server.options,
            **({} if "SITE_ENGINE" in os.environ else {"MAX_CONNS": 3}),
            "application_name": os.environ["SITE_NAME"],
            # The server looks every 100 ms whether the client of a running statement is still
            # there: for clients that are killed by a SIGKILL, and cannot cancel.
            "options": "-c client_connection_check_interval=100",
            **json.loads(os.environ.get("SITE_OPTIONS", "{}")),
        },
        "TEST": {"NAME": f"test_{os.environ['SITE_NAME']}"},
    }
}
INSTALLED_APPS = ["tests.servers.site", "django_db_geventpool"]
ROOT_URLCONF = os.environ.get("SITE_URLS", "tests.servers.site.urls")
DJANGO_DB_GEVENTPOOL = {"ACCESS": "anyone"}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ALLOWED_HOSTS = ["*"]
SECRET_KEY = "tests"
STATIC_URL = "static/"
USE_TZ = True
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"log": {"class": "logging.StreamHandler"}},
    "loggers": {"django_db_geventpool": {"handlers": ["log"], "level": "INFO"}},
}
