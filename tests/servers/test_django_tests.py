"""LiveServerTestCase, and pytest-django with pytest-xdist: databases are gone afterwards."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ..scripts import ROOT
from ..tasks import until
from .running import PYTHON, SITE, Running, Start

FOLDER = ROOT / "tests" / "servers" / "site"
#: How a program is patched before it imports anything.
HUBS = {"threads": ["-m"], "gevent": ["-m", "gevent.monkey", "--module"]}


def finish(tests: Running, observer: Any) -> str:
    """What it has printed, once it has passed and its databases are gone."""
    assert tests.wait() == 0, tests.log()
    sql = "SELECT datname FROM pg_database WHERE starts_with(datname, %s)"
    assert observer(sql, f"test_{tests.name}") == []
    until(lambda: not tests.sessions())
    assert "is being accessed by other users" not in tests.log()
    return tests.log()


@pytest.mark.parametrize("hub", HUBS)
def test_live_servers_of_djangos_own_runner(start: Start, observer: Any, hub: str) -> None:
    command = [*PYTHON, *HUBS[hub], "django", "test", f"{SITE}.suite"]
    output = finish(start(*command), observer)
    assert "Ran 10 tests" in output
    assert f"'hub': '{hub}'" in output


def test_pytest_django_with_xdist(start: Start, observer: Any) -> None:
    """Each of its processes has a database of its own, and a pool, which runs on threads."""
    command = [*PYTHON, "-m", "pytest", "-c", FOLDER / "pytest.ini", "-n", "2", "-v", "-rP"]
    output = finish(start(*command, "-p", "no:cacheprovider", FOLDER), observer)
    assert "10 passed" in output
    assert set(re.findall(r"\[(gw\d)\] .* PASSED", output)) == {"gw0", "gw1"}
    assert "'hub': 'threads'" in output
