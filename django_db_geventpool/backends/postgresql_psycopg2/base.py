"""ENGINE "django_db_geventpool.backends.postgresql_psycopg2": psycopg2, and nothing else."""

from ... import drivers

drivers.require("psycopg2", __package__)

from ..base import PooledDatabaseWrapper  # noqa: E402  (the check goes first)


class DatabaseWrapper(PooledDatabaseWrapper):
    """Django's PostgreSQL engine on a pool of psycopg2 connections."""
