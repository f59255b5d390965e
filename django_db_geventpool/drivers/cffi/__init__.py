"""psycopg2cffi in the place of psycopg2: what 2.9.0, of 2021, lacks, and what it gets wrong.

It is what runs well on PyPy. ``import psycopg2`` gives it where neither psycopg 3 nor psycopg2 can
be imported, and Django and a site's own code then find what they expect of psycopg2:

* ``psycopg2.errors``, a class for each SQLSTATE, and those raised. Django 4.2 to 5.2 import it in
  ``db/backends/postgresql/psycopg_any.py`` and look for ``DuplicateDatabase`` in ``creation.py``.
  In ``errors.py``; also messages that are not ASCII, and the error at the end of a COPY.
* ``psycopg2.sql``: ``psycopg_any.py`` imports it, and puts a function in it that ``schema.py``
  and the PostGIS adapter quote with. In ``sql.py``; cursors take what it composes.
* ``connection.info``: ``base.py`` asks it for the time zone and the server's version. In
  ``connection.py``, with ``pgconn_ptr``.
* ``connection.isolation_level`` that can be set, as ``base.py`` does where OPTIONS has one; with
  ``readonly`` and ``deferrable``. In ``connection.py``: BEGIN says them, as in psycopg2 since 2.7.
  ``set_isolation_level()`` leaves autocommit where the level is the same; ``reset()`` forgets all.
* An adapter's ``encoding`` that can be set, as ``psycopg_any.py`` does to quote a default in
  ``schema.py``. In ``values.py``.
* ``Range`` objects that can be compared with something else: model and form fields do that with
  each value (``value in empty_values``). In ``values.py``, and so are these, where values were
  changed on their way: the microseconds of an interval (DurationField), "null" in an array
  (ArrayField), ranges in arrays, text with a NUL in it, members of an IntEnum, a memoryview whose
  items have several bytes, a time's zone, the seconds of a zone's offset (``tzinfo_factory`` gets a
  timedelta, as in psycopg2 since 2.9), an infinite timestamptz, 24:00, arrays of points, of
  addresses, of empty arrays.
* A connection's set-up where the role's or the server's DateStyle is not ISO, which never ends on a
  hub; OperationalError where the server has ended the connection. In ``connection.py``.
* A named cursor's ``close()`` in a failed transaction, or after its query has failed: Django calls
  it in both cases (``db/models/sql/compiler.py``). In ``cursor.py``.
* Submodules by the name of psycopg2: ``psycopg2cffi.compat.register()`` alone would give second
  copies of them.

What stays different, as far as it is known: a date or timestamp after the year 9999 is a DataError
(psycopg2: a ValueError); an array with an infinite timestamptz is read (psycopg2: a DataError);
text with a backslash is quoted as ``E'...'`` whatever standard_conforming_strings is.

The version is new enough for Django, which wants 2.8.4. Each of these has its test in
``tests/test_psycopg2cffi.py``; https://github.com/chtd/psycopg2cffi/issues/133 is about them.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from types import ModuleType

_SUBMODULES = ("_json", "_range", "errorcodes", "extensions", "extras", "pool", "tz")


def install() -> None:
    """Let ``import psycopg2`` give psycopg2cffi, and complete that, where it is what there is.

    To be called before Django's PostgreSQL backend is imported. May be called again. Where a
    driver that Django prefers can be imported, nothing is done.
    """
    if _can_import("psycopg"):
        return
    if _can_import("psycopg2") and sys.modules["psycopg2"].__name__ != "psycopg2cffi":
        return
    if not _can_import("psycopg2cffi"):
        return
    sys.modules["psycopg2"] = sys.modules["psycopg2cffi"]
    for name in _SUBMODULES:
        with warnings.catch_warnings():
            # Escapes in its docstrings, where these are compiled: nothing to do with the site.
            warnings.filterwarnings("ignore", "invalid escape sequence")
            _provide(name, importlib.import_module(f"psycopg2cffi.{name}"))
    for name in ("errors", "sql"):
        _provide(name, importlib.import_module(f"{__name__}.{name}"))
    for name in ("connection", "cursor", "values"):  # their import changes its classes
        importlib.import_module(f"{__name__}.{name}")


def _provide(name: str, module: ModuleType) -> None:
    sys.modules[f"psycopg2.{name}"] = module
    setattr(sys.modules["psycopg2"], name, module)  # where compat.register() has led to a copy


def _can_import(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True
