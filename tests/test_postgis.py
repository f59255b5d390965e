"""The postgis engine, where the server has PostGIS and this machine GDAL and GEOS."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db.utils import load_backend

from .tasks import spawn

ENGINE = "django_db_geventpool.backends.postgis"


@pytest.fixture
def geometry(database: Any, observer: Any) -> Any:
    if not observer("SELECT 1 FROM pg_available_extensions WHERE name = 'postgis'"):
        pytest.skip(
            "this server has no PostGIS: https://postgis.net/documentation/getting_started/"
        )
    try:
        load_backend(ENGINE)
    except ImproperlyConfigured as error:
        pytest.skip(f"no GDAL or GEOS here: {error}; see {GEOLIBS}")
    return database({"ENGINE": ENGINE}, MAX_CONNS=3)


GEOLIBS = "https://docs.djangoproject.com/en/stable/ref/contrib/gis/install/geolibs/"


def as_text(database: Any) -> str:
    from django.contrib.gis.db.backends.postgis.adapter import PostGISAdapter
    from django.contrib.gis.geos import Point

    answer: str = database.query("SELECT ST_AsText(%s)", PostGISAdapter(Point(1, 2)))
    return answer


def test_every_connection_knows_the_geometry_types(geometry: Any) -> None:
    # Opened before the extension exists: these must not be lent once it does.
    for task in [spawn(geometry.query, "SELECT pg_sleep(0.05) IS NOT NULL") for _ in range(3)]:
        task.result()
    geometry.connection.prepare_database()
    geometry.connection.close()
    assert geometry.pool.stats().idle <= 1
    for _ in range(2):
        tasks = [spawn(as_text, geometry) for _ in range(6)]
        assert [task.result() for task in tasks] == ["POINT(1 2)"] * 6


def test_the_connection_without_a_database_needs_no_postgis(geometry: Any) -> None:
    with geometry.connection._nodb_cursor() as cursor:
        cursor.execute("SELECT current_database()")
        assert cursor.fetchone() == ("postgres",)
        assert not hasattr(cursor.db.ops, "Adapter")
