"""ENGINE "django_db_geventpool.backends.postgresql_psycopg3": psycopg 3, and nothing else."""

from ... import drivers

drivers.require("psycopg3", __package__)

from ..base import PooledDatabaseWrapper  # noqa: E402  (the check goes first)


class DatabaseWrapper(PooledDatabaseWrapper):
    """Django's PostgreSQL engine on a pool of psycopg 3 connections."""
