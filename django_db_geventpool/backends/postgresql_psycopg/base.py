"""ENGINE "django_db_geventpool.backends.postgresql_psycopg": psycopg 3 if installed, else 2."""

from ..base import PooledDatabaseWrapper


class DatabaseWrapper(PooledDatabaseWrapper):
    """Django's PostgreSQL engine on a pool, on the driver that Django chooses."""
