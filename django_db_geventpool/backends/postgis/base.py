"""ENGINE "django_db_geventpool.backends.postgis": GeoDjango, psycopg 3 if installed, else 2."""

from django.contrib.gis.db.backends.postgis import base as postgis

from ..base import PooledDatabaseWrapper


class DatabaseWrapper(PooledDatabaseWrapper, postgis.DatabaseWrapper):
    """Django's PostGIS engine on a pool, on the driver that Django chooses."""

    def prepare_database(self) -> None:
        super().prepare_database()
        # The extension may just have been created: connections opened before do not know its types.
        self.geventpool.drop_idle()
