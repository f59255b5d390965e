"""The browser and the database of those tests that need one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from matrix import postgres


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from .chromium import NoChromium, chromium  # selenium: tox -e containers has none

    try:
        with chromium(tmp_path_factory.mktemp("chromium")) as one:
            yield one
    except NoChromium as error:
        pytest.fail(str(error)) if os.environ.get("CI") else pytest.skip(str(error))


@pytest.fixture(scope="module")
def database() -> Iterator[postgres.Server]:
    """A database of its own, for the site fills it with tables."""
    import psycopg

    with postgres.server() as server:
        name = f"loadtests_{os.getpid()}"
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        yield replace(server, dbname=name)
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name}")
