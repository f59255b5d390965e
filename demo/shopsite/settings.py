"""Settings of the demo site; what can be varied comes from the environment."""

from __future__ import annotations

import logging
import os

from django.core.exceptions import ImproperlyConfigured

from matrix.postgres import Server, ServerUnavailable, parse_url


def whole_number(name: str, default: int, least: int = 1) -> int:
    value = os.environ.get(name, str(default))
    if not value.isdecimal() or int(value) < least:
        raise ImproperlyConfigured(
            f"{name} is {value!r}; accepted is a whole number of at least {least}."
        )
    return int(value)


def database_server() -> Server:
    url = os.environ.get("DATABASE_URL")
    if not url:
        raise ImproperlyConfigured(
            "DATABASE_URL is not set; for a throwaway server, run: "
            "python -m matrix.postgres -- python demo/manage.py runserver"
        )
    try:
        return parse_url(url)
    except ServerUnavailable as error:
        raise ImproperlyConfigured(str(error)) from None


DEMO_ENGINE = os.environ.get("DEMO_ENGINE", "django_db_geventpool.backends.postgresql_psycopg")
DEMO_MAX_CONNS = whole_number("DEMO_MAX_CONNS", 8)
DEMO_REUSE_CONNS = whole_number("DEMO_REUSE_CONNS", min(4, DEMO_MAX_CONNS), least=0)
DEMO_RELEASE = os.environ.get("DEMO_RELEASE", "request")
DEMO_MAX_LIFETIME = whole_number("DEMO_MAX_LIFETIME", 3600)
DEMO_WORKERS = whole_number("DEMO_WORKERS", 2)
#: Whether DATABASE_URL names a PgBouncer in transaction mode.
DEMO_PGBOUNCER = bool(os.environ.get("DEMO_PGBOUNCER"))
#: What the sessions on the server are called, followed by the pid of the worker they belong to.
DEMO_APPLICATION_NAME = "shop-"

SERVER = database_server()
OPTIONS: dict[str, object] = {
    **SERVER.options,
    "application_name": f"{DEMO_APPLICATION_NAME}{os.getpid()}",
}
if DEMO_ENGINE.startswith("django_db_geventpool."):
    OPTIONS.update(
        MAX_CONNS=DEMO_MAX_CONNS,
        REUSE_CONNS=DEMO_REUSE_CONNS,
        RELEASE=DEMO_RELEASE,
        MAX_LIFETIME=DEMO_MAX_LIFETIME,
        LEAK_THRESHOLD=10,
    )
DATABASES = {
    "default": {
        "ENGINE": DEMO_ENGINE,
        **SERVER.django,
        "DISABLE_SERVER_SIDE_CURSORS": DEMO_PGBOUNCER,
        "OPTIONS": OPTIONS,
    }
}

DJANGO_DB_GEVENTPOOL = {"ACCESS": "anyone"}  # /pool/ shows the pools: of a demo, to everybody

DEBUG = os.environ.get("DEMO_DEBUG", "").lower() in ("1", "true", "yes", "on")
SECRET_KEY = "a demo keeps no secrets, so everybody may know this key"
ALLOWED_HOSTS = ["*"]

ROOT_URLCONF = "demo.shopsite.urls"
WSGI_APPLICATION = "demo.shopsite.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "demo.shop",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]


def is_news(record: logging.LogRecord) -> bool:
    """An exception that no view caught; not a status (400, 404, 500) that a view chose."""
    return bool(record.exc_info)


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "[%(process)d] %(levelname)s %(name)s: %(message)s"}},
    "filters": {"is_news": {"()": "django.utils.log.CallbackFilter", "callback": is_news}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "level": "WARNING", "formatter": "line"}
    },
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        "django": {"handlers": ["stderr"], "propagate": False},
        "django.request": {"filters": ["is_news"]},
    },
}
