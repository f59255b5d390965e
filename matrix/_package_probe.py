"""Uses an installed wheel: every public name, and a query through each engine.

``matrix.package`` runs this file with the Python of an environment that has little more than the
wheel: ``python -I _package_probe.py HUB ENGINE-OR-NAME ...``, with what says where the server is
as JSON on its standard input. Nothing of the repository can be imported then.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import pkgutil
import sys
from pathlib import Path
from typing import Any

PACKAGE = "django_db_geventpool"
#: ``tests/harness/test_package.py`` compares these with the README.
ENGINES = ("postgresql_psycopg3", "postgresql_psycopg2", "postgresql_psycopg", "postgis")
NAMES: dict[str, tuple[str, ...]] = {
    "contrib.monitor": ("begin",),
    "contrib.monitor.urls": ("urlpatterns",),
    "errors": ("PoolClosed", "PoolError", "PoolTimeout"),
    "signals": ("connection_opened",),
    "utils": ("close_connection", "hold_connection"),
}


def patch(hub: str) -> None:
    if hub == "gevent":
        from gevent import monkey

        monkey.patch_all()
    elif hub == "eventlet":
        import eventlet

        eventlet.monkey_patch()


def configure(engines: list[str]) -> None:
    import django
    from django.conf import settings

    where = json.load(sys.stdin)
    databases = {
        name: {**where, "ENGINE": f"{PACKAGE}.backends.{name}", "OPTIONS": {"MAX_CONNS": 2}}
        for name in engines
    }
    settings.configure(DATABASES={"default": {}, **databases}, INSTALLED_APPS=[PACKAGE])
    django.setup()


def import_names() -> None:
    for module, names in NAMES.items():
        imported = importlib.import_module(f"{PACKAGE}.{module}")
        for name in names:
            getattr(imported, name)


def query(name: str) -> str:
    """:returns: the module of the driver that has answered."""
    from django.db import connections

    from django_db_geventpool.utils import close_connection

    connection: Any = connections[name]
    with close_connection(), connection.cursor() as cursor:
        cursor.execute("SELECT 40 + 2")
        assert cursor.fetchone() == (42,)
    stats = connection.geventpool.stats()
    assert (stats.idle, stats.checkouts) == (1, 1), stats
    assert connection.geventpool.close()
    return str(connection.Database.__name__)


def main(hub: str, *wanted: str) -> None:
    engines = [name for name in wanted if name in ENGINES]
    patch(hub)
    package = importlib.import_module(PACKAGE)
    installed = importlib.metadata.version("django-db-geventpool")
    assert package.__version__ == installed, (package.__version__, installed)
    assert Path(sys.prefix) in Path(str(package.__file__)).parents, package.__file__
    configure(engines)
    import_names()
    done = [f"{name} on {query(name)}" for name in engines]
    for name in set(wanted) - set(ENGINES):
        pkgutil.resolve_name(f"{PACKAGE}.{name}")
        done.append(name)
    print(", ".join([f"{sum(map(len, NAMES.values()))} names", *done]))


if __name__ == "__main__":
    main(*sys.argv[1:])
