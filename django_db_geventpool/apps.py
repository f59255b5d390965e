"""In INSTALLED_APPS for the system checks, and for psycopg2cffi; the engines need no app.

Whatever Django imports after it finds psycopg2 where psycopg2cffi is installed in its place:
django.contrib.postgres wants it before there is an engine.
"""

from django.apps import AppConfig

from .drivers import cffi

cffi.install()


class GeventpoolConfig(AppConfig):
    """Registers the checks also where nothing imports an engine of ours before they run."""

    name = "django_db_geventpool"
    verbose_name = "PostgreSQL connection pool"

    def ready(self) -> None:
        from . import checks  # noqa: F401  (importing registers them)
