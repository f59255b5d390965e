"""What cannot hold where a PgBouncer in transaction mode stands before the server."""

from __future__ import annotations

import pytest

from . import plugin_django

FEATURES = "https://www.pgbouncer.org/features.html"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "session(what): needs a session on the server for itself, between transactions too, for "
        "what it names; a PgBouncer in transaction mode lends one for a transaction only",
    )


def pytest_runtest_setup(item: pytest.Item) -> None:
    marker = item.get_closest_marker("session")
    if marker is not None and plugin_django.SERVER.direct is not None:
        pytest.skip(f"PgBouncer in transaction mode: {marker.args[0]}; see {FEATURES}")
