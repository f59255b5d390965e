"""The postgis engine, where the server has PostGIS and this machine GDAL and GEOS."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db.utils import load_backend
from django.test.utils import isolate_apps

from .scripts import run
from .tasks import spawn

ENGINE = "django_db_geventpool.backends.postgis"
GEOLIBS = "https://docs.djangoproject.com/en/stable/ref/contrib/gis/install/geolibs/"
IS_ASKED_FOR = os.environ.get("PG_PROVIDER") == "postgis" and not os.environ.get("DATABASE_URL")


@pytest.fixture
def geometry(database: Any, observer: Any) -> Any:
    """Three connections to a database that can have PostGIS, and has not."""
    if not observer("SELECT 1 FROM pg_available_extensions WHERE name = 'postgis'"):
        assert not IS_ASKED_FOR
        pytest.skip(
            "this server has no PostGIS: https://postgis.net/documentation/getting_started/"
        )
    try:
        load_backend(ENGINE)
    except ImproperlyConfigured as error:
        assert not IS_ASKED_FOR, error
        pytest.skip(f"no GDAL or GEOS here: {error}; see {GEOLIBS}")
    three = database({"ENGINE": ENGINE}, MAX_CONNS=3)
    plain = database(MAX_CONNS=1)
    plain.execute("DROP EXTENSION IF EXISTS postgis CASCADE")
    plain.connection.close_pool()
    return three


@pytest.fixture
def places(geometry: Any) -> Iterator[Any]:
    """A model with a geometry and a geography, its table on the connections of *geometry*."""
    from django.contrib.gis.db import models

    geometry.connection.prepare_database()
    with isolate_apps("tests"):

        class Place(models.Model):
            name = models.CharField(max_length=20)
            area = models.PolygonField(null=True)
            point = models.PointField(geography=True)

            class Meta:
                app_label = "tests"

    with geometry.connection.schema_editor() as editor:
        editor.create_model(Place)
    yield Place.objects.using(geometry.alias)
    with geometry.connection.schema_editor() as editor:
        editor.delete_model(Place)


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


def test_spatial_fields_come_back_as_they_went(geometry: Any, places: Any) -> None:
    """On every connection, by whichever task."""
    from django.contrib.gis.geos import Point, Polygon

    area = Polygon.from_bbox((0, 0, 2, 1))
    place = places.create(name="here", area=area, point=Point(2.3, 48.9))
    geometry.connection.close()

    def read() -> tuple[Any, Any]:
        found = places.get(pk=place.pk)
        return found.area, found.point

    for task in [spawn(read) for _ in range(6)]:
        found, point = task.result()
        assert (found.srid, found.equals_exact(area)) == (4326, True)
        assert (point.srid, point.x, point.y) == (4326, 2.3, 48.9)


def test_places_are_found_by_distance(places: Any) -> None:
    from django.contrib.gis.db.models.functions import Distance
    from django.contrib.gis.geos import Point
    from django.contrib.gis.measure import D

    for name, x, y in (("Paris", 2.35, 48.86), ("Versailles", 2.13, 48.80), ("Rome", 12.5, 41.9)):
        places.create(name=name, point=Point(x, y))
    here = Point(2.35, 48.86, srid=4326)
    near = places.filter(point__distance_lte=(here, D(km=30)))
    assert sorted(near.values_list("name", flat=True)) == ["Paris", "Versailles"]
    far = places.annotate(away=Distance("point", here)).order_by("-away").first()
    assert far.name == "Rome" and 1000 < far.away.km < 1200


def test_places_are_found_by_what_contains_them(places: Any) -> None:
    from django.contrib.gis.geos import Point, Polygon

    place = places.create(name="box", area=Polygon.from_bbox((0, 0, 2, 1)), point=Point(0, 0))
    assert places.filter(area__contains=Point(1, 0.5, srid=4326)).get() == place
    assert not places.filter(area__contains=Point(1, 2, srid=4326)).exists()


CREATE_AND_DROP = """
settings("postgis")
from django.contrib.gis.geos import Point
from django.contrib.gis.db.backends.postgis.adapter import PostGISAdapter
from django.db import connection
old, creation = connection.settings_dict["NAME"], connection.creation
connection.settings_dict["TEST"]["NAME"] = f"postgis_{os.getpid()}"
creation.create_test_db(verbosity=0, autoclobber=True)
with connection.cursor() as cursor:
    cursor.execute("SELECT current_database(), ST_AsText(%s)", [PostGISAdapter(Point(1, 2))])
    print(*cursor.fetchone())
creation.clone_test_db("2", verbosity=0)
creation.destroy_test_db(suffix="2", verbosity=0)
creation.destroy_test_db(old, verbosity=0)
with connection.cursor() as cursor:
    cursor.execute("SELECT count(*) FROM pg_database WHERE datname LIKE 'postgis%%'")
    print("left:", cursor.fetchone()[0])
"""


@pytest.mark.usefixtures("geometry")
@pytest.mark.session("its idle connections keep a test database from being cloned or dropped")
def test_test_databases_are_made_with_the_extension_and_dropped() -> None:
    output = run(CREATE_AND_DROP)
    assert "POINT(1 2)" in output and "left: 0" in output
