"""In INSTALLED_APPS only for the system checks; the engines need no app."""

from django.apps import AppConfig


class GeventpoolConfig(AppConfig):
    """Registers the checks also where nothing imports an engine of ours before they run."""

    name = "django_db_geventpool"
    verbose_name = "PostgreSQL connection pool"

    def ready(self) -> None:
        from . import checks  # noqa: F401  (importing registers them)
