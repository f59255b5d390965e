"""Who waits for the socket: the hub that is in charge, in whatever order things were imported."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from .scripts import run


def needs(module: str) -> None:
    """Skip without importing it: eventlet leaves traces where it is imported."""
    if find_spec(module) is None:
        pytest.skip(
            f"{module} is not installed in this environment; see tox.ini for one that has it"
        )


# Runs while the others wait for the server; nothing of it would run if a wait blocked the hub.
CONCURRENT = """
from django.db import connection
import threading
ticks, done = [], threading.Event()

def tick():
    while not done.is_set():
        ticks.append(1)
        done.wait(0.01)

def query():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(0.3)")

ticker = threading.Thread(target=tick); ticker.start()
before = len(ticks)
query()
print("ticks while waiting:", "many" if len(ticks) - before > 5 else len(ticks) - before)
print("hub:", connection.geventpool._hub.NAME)
done.set(); ticker.join()
"""


@pytest.fixture
def psycopg() -> str:
    """The module name of the driver under test."""
    from django.db.backends.postgresql.psycopg_any import is_psycopg3

    return "psycopg" if is_psycopg3 else "psycopg2"


def test_gevent_patched_first() -> None:
    needs("gevent")
    output = run("from gevent import monkey; monkey.patch_all(); settings()" + CONCURRENT)
    assert "ticks while waiting: many" in output
    assert "hub: gevent" in output
    assert output.count("now waits on the gevent hub") == 1


def test_the_driver_imported_before_gevent_patches(psycopg: str) -> None:
    needs("gevent")
    output = run(
        f"import {psycopg}; from gevent import monkey; monkey.patch_all(); settings()" + CONCURRENT
    )
    assert "ticks while waiting: many" in output


def test_eventlet_patched() -> None:
    needs("eventlet")
    output = run("import eventlet; eventlet.monkey_patch(); settings()" + CONCURRENT)
    assert "ticks while waiting: many" in output
    assert "hub: eventlet" in output


def test_installed_but_not_patched_means_plain_threads() -> None:
    needs("gevent")
    output = run("import gevent.monkey; settings()" + CONCURRENT)
    assert "hub: threads" in output
    assert "now waits on" not in output


def test_an_explicit_hub_goes_before_what_is_patched() -> None:
    needs("gevent")
    output = run(
        """
        import gevent
        settings(HUB="gevent")
        from django.db import connection
        with connection.cursor() as cursor:
            ticker = gevent.spawn(gevent.sleep, 0.01)
            cursor.execute("SELECT pg_sleep(0.3)")
        print("ticked:", ticker.dead)
        print("hub:", connection.geventpool._hub.NAME)
        """
    )
    assert "ticked: True" in output
    assert "hub: gevent" in output


def test_a_hub_that_is_not_installed_is_named() -> None:
    output = run(
        """
        import sys
        sys.modules["eventlet"] = None
        settings(HUB="eventlet")
        from django.core.exceptions import ImproperlyConfigured
        from django.db import connection
        try:
            connection.ensure_connection()
        except ImproperlyConfigured as error:
            print(error)
        """
    )
    assert "OPTIONS['HUB'] is 'eventlet', but it cannot be imported" in output
    assert "pip install eventlet" in output


def test_a_callback_of_psycogreen_is_left_alone(psycopg: str) -> None:
    needs("psycogreen")
    if psycopg != "psycopg2":
        pytest.skip("psycopg 3 has no wait callback: https://www.psycopg.org/psycopg3/docs/")
    output = run(
        "from gevent import monkey; monkey.patch_all(); settings()\n"
        "from psycogreen.gevent import patch_psycopg, gevent_wait_callback; patch_psycopg()"
        + CONCURRENT
        + "from psycopg2.extensions import get_wait_callback\n"
        "print('kept:', get_wait_callback() is gevent_wait_callback)"
    )
    assert "ticks while waiting: many" in output
    assert "kept: True" in output
    assert "now waits on" not in output


def test_psycogreen_of_the_readme_in_post_fork_order(psycopg: str) -> None:
    """Patched by hand before Django is set up, as the public package tells its users."""
    needs("psycogreen")
    if psycopg != "psycopg2":
        pytest.skip("psycopg 3 has no wait callback: https://www.psycopg.org/psycopg3/docs/")
    output = run(
        "from gevent import monkey; monkey.patch_all()\n"
        "from psycogreen.gevent import patch_psycopg; patch_psycopg(); settings()" + CONCURRENT
    )
    assert "ticks while waiting: many" in output
