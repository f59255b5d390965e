"""A PostgreSQL connection pool for Django on greenlets; set ENGINE and it is on.

See ``README.md`` for the settings. What may be imported from here on:

* ``django_db_geventpool.backends.*`` as ``ENGINE``
* :func:`django_db_geventpool.utils.close_connection` and ``hold_connection``
* :class:`django_db_geventpool.errors.PoolTimeout` and its base classes
"""

__version__ = "5.0.0"
