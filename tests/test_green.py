"""Who waits for the socket: the hub that is in charge, in whatever order things were imported."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from .plugin_django import DRIVER
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

ticker = threading.Thread(target=tick, daemon=True); ticker.start()
before = len(ticks)
query()
print("ticks while waiting:", "many" if len(ticks) - before > 5 else len(ticks) - before)
print("hub:", connection.geventpool._hub.NAME)
done.set(); ticker.join()
"""

# psycogreen wants psycopg2, before the engine is loaded: psycopg2cffi's own way to give it.
NAMED_PSYCOPG2 = (
    "from psycopg2cffi import compat; compat.register()\n" if DRIVER == "psycopg2cffi" else ""
)

QUERY = """
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
try:
    connection.ensure_connection()
    print("hub:", connection.geventpool._hub.NAME)
except ImproperlyConfigured as error:
    print(error)
"""


def test_gevent_patched_first() -> None:
    needs("gevent")
    output = run("from gevent import monkey; monkey.patch_all(); settings()" + CONCURRENT)
    assert "ticks while waiting: many" in output
    assert "hub: gevent" in output
    assert output.count("now waits on the gevent hub") == 1


def test_the_driver_imported_before_gevent_patches() -> None:
    needs("gevent")
    output = run(
        f"import {DRIVER}; from gevent import monkey; monkey.patch_all(); settings()" + CONCURRENT
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


def test_plain_threads_can_be_chosen_where_gevent_has_patched() -> None:
    needs("gevent")
    output = run("from gevent import monkey; monkey.patch_all(); settings(HUB='threads')\n" + QUERY)
    assert "hub: threads" in output
    assert "now waits on" not in output


@pytest.mark.parametrize("hub", ["gevent", "eventlet"])
def test_a_hub_that_has_not_patched_the_process_is_refused(hub: str) -> None:
    output = run(f"settings(HUB={hub!r})\n" + QUERY)
    assert f"OPTIONS['HUB'] is {hub!r}, but {hub} has not patched this process" in output
    assert "threads is in charge" in output


def test_a_callback_of_psycogreen_is_left_alone() -> None:
    needs("psycogreen")
    if DRIVER == "psycopg":
        pytest.skip("psycopg 3 has no wait callback: https://www.psycopg.org/psycopg3/docs/")
    output = run(
        "from gevent import monkey; monkey.patch_all(); settings()\n"
        + NAMED_PSYCOPG2
        + "from psycogreen.gevent import patch_psycopg, gevent_wait_callback; patch_psycopg()"
        + CONCURRENT
        + "from psycopg2.extensions import get_wait_callback\n"
        "print('kept:', get_wait_callback() is gevent_wait_callback)"
    )
    assert "ticks while waiting: many" in output
    assert "kept: True" in output
    assert "now waits on" not in output


def test_psycogreen_of_the_readme_in_post_fork_order() -> None:
    """Patched by hand before Django is set up, as the public package tells its users."""
    needs("psycogreen")
    if DRIVER == "psycopg":
        pytest.skip("psycopg 3 has no wait callback: https://www.psycopg.org/psycopg3/docs/")
    output = run(
        "from gevent import monkey; monkey.patch_all()\n"
        + NAMED_PSYCOPG2
        + "from psycogreen.gevent import patch_psycopg; patch_psycopg(); settings()"
        + CONCURRENT
    )
    assert "ticks while waiting: many" in output


def test_a_greenlet_that_waits_on_a_connection_while_it_is_closed_goes_on() -> None:
    """It collects the cursor of another one, whose connection comes back meanwhile."""
    if DRIVER == "psycopg2":
        pytest.skip("psycopg2 refuses it: https://www.psycopg.org/docs/advanced.html#green-support")
    run(
        """
from gevent import monkey; monkey.patch_all()
settings(MAX_CONNS=2)
import gc, gevent
from django.db import connection
gc.disable()

def rows():
    cursor = connection.chunked_cursor()
    try:
        cursor.execute("SELECT generate_series(1, 10000)")
        while True:
            yield cursor.fetchmany(10)
    finally:
        cursor.close()

def leave_a_cursor():
    left = rows()
    next(left)
    garbage = [left]
    garbage.append(garbage)
    del left, garbage
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(0.02)")

def collect():
    gevent.sleep(0.01)
    gc.collect()

for _ in range(50):
    both = [gevent.spawn(leave_a_cursor), gevent.spawn(collect)]
    gevent.joinall(both, timeout=20)
    assert all(greenlet.ready() for greenlet in both)
"""
    )
