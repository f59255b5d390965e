"""Writes into pytest's JUnit file what the tests ran on: the report of the matrix shows it."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Callable

import pytest

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


def versions() -> dict[str, str]:
    found = {
        "Python": _python(),
        "Django": _installed("Django"),
        "psycopg": _psycopg3(),
        "psycopg2": _installed("psycopg2", "psycopg2-binary"),
        "psycopg2cffi": _installed("psycopg2cffi"),
        "Hub": f"{HUB} {_installed(HUB)}".strip(),
        **_server(),
    }
    return {name: value for name, value in found.items() if value}


@pytest.fixture(scope="session", autouse=True)
def _versions_on_record(
    pytestconfig: pytest.Config, record_testsuite_property: Callable[[str, object], None]
) -> None:
    if pytestconfig.option.xmlpath:
        for name, value in versions().items():
            record_testsuite_property(name, value)
