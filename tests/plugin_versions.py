"""Writes into pytest's JUnit file what the tests ran on: the report of the matrix shows it."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Callable

import pytest

from . import pgbouncer, plugin_django
from .plugin_hub import HUB


def _installed(*names: str) -> str:
    """The version of the first that is installed, or nothing."""
    for name in names:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return ""


def _python() -> str:
    if sys.implementation.name == "pypy":
        own = ".".join(map(str, sys.pypy_version_info[:3]))  # type: ignore[attr-defined]
        return f"{platform.python_version()} (PyPy {own})"
    return f"{platform.python_version()} ({platform.python_implementation()})"


def _django() -> str:
    """An archive of the main branch has a version that looks like a release's."""
    from django import VERSION

    phase = "" if VERSION[3] == "final" else f" ({VERSION[3]})"
    return f"{_installed('Django')}{phase}"


def _psycopg3() -> str:
    if not _installed("psycopg"):
        return ""
    from psycopg import pq

    libpq = f"{pq.version() // 10000}.{pq.version() % 10000}"
    return f"{_installed('psycopg')} ({pq.__impl__}, libpq {libpq})"


def _server() -> dict[str, str]:
    from django.db import connections

    connection = connections["observer"]
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        found = {"PostgreSQL": cursor.fetchone()[0].split(" ")[0]}
        cursor.execute("SELECT default_version FROM pg_available_extensions WHERE name = 'postgis'")
        row = cursor.fetchone()
    connection.close()  # the tests open it again, for a database of their own
    return {**found, "PostGIS": row[0]} if row else found


def _pgbouncer() -> str:
    """Of the one that the tests go through, if they do."""
    if plugin_django.SERVER.direct is None:
        return ""
    (row,) = pgbouncer.ask(plugin_django.SERVER, "SHOW VERSION")
    return str(row["version"]).rpartition(" ")[2]


def versions() -> dict[str, str]:
    found = {
        "Python": _python(),
        "Django": _django(),
        "psycopg": _psycopg3(),
        "psycopg2": _installed("psycopg2", "psycopg2-binary"),
        "psycopg2cffi": _installed("psycopg2cffi"),
        "Hub": f"{HUB} {_installed(HUB)}".strip(),
        **_server(),
        "PgBouncer": _pgbouncer(),
    }
    return {name: value for name, value in found.items() if value}


@pytest.fixture(scope="session", autouse=True)
def _versions_on_record(
    pytestconfig: pytest.Config, record_testsuite_property: Callable[[str, object], None]
) -> None:
    if pytestconfig.option.xmlpath:
        for name, value in versions().items():
            record_testsuite_property(name, value)
