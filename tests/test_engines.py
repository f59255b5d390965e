"""The ENGINE names, each on its own driver."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.utils import load_backend

from .plugin_django import DRIVER, ENGINE
from .scripts import run

ENGINES = "django_db_geventpool.backends."

TRY = """
from django.core.exceptions import ImproperlyConfigured
settings({engine!r})
from django.db import connection
try:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    print("works on", connection.Database.__name__)
except ImproperlyConfigured as error:
    print("refused:", error)
"""


@pytest.fixture
def driver() -> str:
    from django.db.backends.postgresql.psycopg_any import is_psycopg3

    return "psycopg3" if is_psycopg3 else "psycopg2"


def test_the_engine_named_for_the_driver_runs_on_it(driver: str) -> None:
    assert f"works on {DRIVER}\n" in run(TRY.format(engine=f"postgresql_{driver}"))


def test_the_engine_named_psycopg_runs_on_what_is_there(driver: str) -> None:
    assert f"works on {DRIVER}\n" in run(TRY.format(engine="postgresql_psycopg"))


def test_the_engine_of_a_driver_that_is_not_installed_says_what_to_install(driver: str) -> None:
    psycopg2 = "psycopg2cffi" if sys.implementation.name == "pypy" else "psycopg2-binary"
    engine, module, install = {
        "psycopg2": ("postgresql_psycopg3", "psycopg", "psycopg[binary]"),
        "psycopg3": ("postgresql_psycopg2", "psycopg2", psycopg2),
    }[driver]
    output = run(f"sys.modules[{module!r}] = None\n" + TRY.format(engine=engine))
    assert "refused: ENGINE" in output
    assert f"{ENGINES}{engine}" in output
    assert install in output


def test_the_psycopg2_engine_refuses_to_run_on_psycopg_3(driver: str, tmp_path: Path) -> None:
    for name in {"psycopg3": ["psycopg2"], "psycopg2": ["psycopg"]}[driver]:
        (tmp_path / f"{name}.py").write_text("__version__ = '3.9.9'")  # a stand-in
    output = run(TRY.format(engine="postgresql_psycopg2"), tmp_path)
    assert "refused: ENGINE 'django_db_geventpool.backends.postgresql_psycopg2'" in output
    assert "Remove it (pip uninstall psycopg psycopg-binary psycopg-c)" in output


def test_an_engine_keeps_the_parts_of_djangos_own(driver: str) -> None:
    wrapper = load_backend(f"{ENGINES}postgresql_{driver}").DatabaseWrapper
    assert (wrapper.vendor, wrapper.display_name) == ("postgresql", "PostgreSQL")
    assert wrapper.client_class.executable_name == "psql"


def test_a_bad_option_is_told_before_any_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = {**connections.settings["default"], "ENGINE": ENGINE, "OPTIONS": {"MAX_CONNS": "9"}}
    monkeypatch.setitem(connections.settings, "bad", bad)
    with pytest.raises(ImproperlyConfigured, match=r"DATABASES\['bad'\]: OPTIONS\['MAX_CONNS'\]"):
        connections["bad"].ensure_connection()


def test_no_password_in_repr_log_or_error(driver: str) -> None:
    output = run(
        """
        logging.getLogger().setLevel("DEBUG")
        from gevent import monkey; monkey.patch_all()
        settings(MAX_CONNS=1, WAIT_TIMEOUT=0)
        import gevent
        from django.db import connection
        from traceback import TracebackException
        def tell(error):  # as an error tracker does
            told = TracebackException.from_exception(error, capture_locals=True)
            print(*told.format(), repr(connection.get_connection_params()))
        def hold():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
            print(repr(connection.geventpool), vars(connection.geventpool))
            late = gevent.spawn(lambda: connection.ensure_connection())
            late.join()
            tell(late.exception)
            connection.close()
        gevent.spawn(hold).join()
        connection.settings_dict["PORT"] = "1"
        refused = gevent.spawn(lambda: connection.ensure_connection())
        refused.join()
        tell(refused.exception)
        connection.settings_dict["OPTIONS"]["MAX_CONNS"] = 0
        connection.geventpool.close()
        misconfigured = gevent.spawn(lambda: connection.ensure_connection())
        misconfigured.join()
        tell(misconfigured.exception)
        """
    )
    assert "no connection became free" in output
    assert "onnection refused" in output
    assert "accepted is a whole number" in output
    assert "conn_params = {" in output
    assert connections.settings["default"]["PASSWORD"] not in output
