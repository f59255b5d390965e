"""What ``manage.py check`` reports: each check seen to fire, and to be silent when all is well."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.core.checks import ERROR, CheckMessage, run_checks
from django.db import connections
from django.db.utils import load_backend

from django_db_geventpool import checks
from django_db_geventpool.checks import TAG, aliases

from .plugin_django import DRIVER, ENGINE
from .plugin_hub import HUB
from .scripts import ROOT, run
from .test_green import needs

PATCH = {
    "gevent": "from gevent import monkey; monkey.patch_all()\n",
    "eventlet": "import eventlet; eventlet.monkey_patch()\n",
}

# The engine is imported as any model does it.
REPORT = """
from django.core.checks import run_checks
from django.db import connection
connection.ops
for issue in run_checks(tags=["geventpool"]):
    print(issue)
print("checked")
"""


def geventpool() -> list[CheckMessage]:
    return run_checks(tags=[TAG])


def only(issues: list[CheckMessage]) -> CheckMessage:
    (issue,) = issues
    assert issue.hint
    return issue


@pytest.fixture
def is_psycopg3() -> bool:
    from django.db.backends.postgresql.psycopg_any import is_psycopg3

    return bool(is_psycopg3)


@pytest.fixture
def other(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Add an alias called "other" that nobody connects to; its settings are the arguments."""

    def add(**settings: Any) -> None:
        base = {**connections.settings["default"], "ENGINE": ENGINE, "OPTIONS": {}}
        monkeypatch.setitem(connections.settings, "other", {**base, **settings})

    return add


@pytest.fixture
def site(tmp_path: Path) -> Any:
    """Run ``manage.py`` on a project of its own; DATABASES is made of ours, theirs and bad."""
    (tmp_path / "conf.py").write_text(
        """
import os
from matrix.postgres import parse_url
server = parse_url(os.environ["DATABASE_URL"]).django
ours = {"ENGINE": os.environ["ENGINE"], **server}
theirs = {**ours, "ENGINE": "django.db.backends.postgresql"}
bad = {**ours, "OPTIONS": {**server["OPTIONS"], "HUB": "gevent"}}
DATABASES = eval(os.environ["DATABASES"])
INSTALLED_APPS = os.environ.get("APPS", "").split()
INSTALLED_APPS += ["django.contrib.contenttypes", "django.contrib.auth"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
        """
    )

    def manage(*arguments: str, databases: str, **environ: str) -> str:
        return run(
            f"""
            from django.core.management import execute_from_command_line
            execute_from_command_line({["manage.py", *arguments]})
            """,
            tmp_path,
            DJANGO_SETTINGS_MODULE="conf",
            ENGINE=ENGINE,
            DATABASES=databases,
            **environ,
        )

    return manage


def test_each_id_has_its_entry_in_the_documentation() -> None:
    page = (ROOT / "docs" / "checks.md").read_text()
    listed = re.findall(r"geventpool\.[EW]\d+", str(checks.__doc__))
    assert re.findall(r"^### (geventpool\.[EW]\d+)$", page, re.MULTILINE) == listed


# -- which aliases


def test_nothing_is_reported_when_all_is_well() -> None:
    assert geventpool() == []
    assert [alias for alias, _ in aliases()] == ["default"]


def test_other_engines_are_not_looked_at(other: Any) -> None:
    other(ENGINE="django.db.backends.postgresql", CONN_MAX_AGE=60, OPTIONS={"MAX_CONNS": "20"})
    assert geventpool() == []


def test_an_engine_that_cannot_be_imported_is_left_to_django(other: Any) -> None:
    other(ENGINE="there.is.none")
    assert geventpool() == []


def test_an_engine_derived_from_ours_is_looked_at(
    other: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    module: Any = ModuleType("derived_engine.base")
    module.DatabaseWrapper = type("DatabaseWrapper", (load_backend(ENGINE).DatabaseWrapper,), {})
    monkeypatch.setitem(sys.modules, "derived_engine", ModuleType("derived_engine"))
    monkeypatch.setitem(sys.modules, "derived_engine.base", module)
    other(ENGINE="derived_engine", CONN_MAX_AGE=60)
    assert only(geventpool()).id == "geventpool.E002"


# -- the settings


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("MAX_CONNS", "20"),
        ("REUSE_CONNS", 9),
        ("WAIT_TIMEOUT", -1),
        ("HUB", "asyncio"),
        ("pool", 1),
    ],
)
def test_a_refused_option_is_an_error(other: Any, option: str, value: object) -> None:
    other(OPTIONS={option: value})
    issue = only(geventpool())
    assert (issue.id, issue.level) == ("geventpool.E001", ERROR)
    assert f"DATABASES['other']: OPTIONS['{option}'] is {value!r}; accepted is " in issue.msg


@pytest.mark.parametrize("max_age", [60, None])
def test_a_conn_max_age_is_an_error_of_its_own(other: Any, max_age: object) -> None:
    other(CONN_MAX_AGE=max_age)
    issue = only(geventpool())
    assert (issue.id, issue.level) == ("geventpool.E002", ERROR)
    assert f"DATABASES['other']: CONN_MAX_AGE is {max_age!r}" in issue.msg
    assert "Remove CONN_MAX_AGE" in str(issue.hint)


def test_both_kinds_of_error_are_told_at_once(other: Any) -> None:
    other(CONN_MAX_AGE=60, OPTIONS={"MAX_CONNS": 0})
    assert {issue.id for issue in geventpool()} == {"geventpool.E001", "geventpool.E002"}


def test_no_issue_quotes_a_password(other: Any) -> None:
    other(CONN_MAX_AGE=60, PASSWORD="hunter2", OPTIONS={"PASSWORD": "hunter2", "HUB": "threads"})
    assert "geventpool.E001" in {issue.id for issue in geventpool()}
    assert "hunter2" not in " ".join(map(str, geventpool()))


def test_no_wrapper_is_made_to_look_at_the_settings(other: Any) -> None:
    other(CONN_MAX_AGE=60)
    geventpool()
    assert not hasattr(connections._connections, "other")


def test_an_engine_without_its_driver_is_an_error(other: Any, is_psycopg3: bool) -> None:
    name = "postgresql_psycopg2" if is_psycopg3 else "postgresql_psycopg3"
    other(ENGINE=f"django_db_geventpool.backends.{name}")
    issue = only(geventpool())
    assert (issue.id, issue.level) == ("geventpool.E003", ERROR)
    assert f"DATABASES['other']: ENGINE 'django_db_geventpool.backends.{name}'" in issue.msg


# -- the process


@pytest.mark.parametrize("hub", ["gevent", "eventlet"])
def test_patching_before_all_imports_is_well(hub: str) -> None:
    needs(hub)
    output = run(PATCH[hub] + "settings()\n" + REPORT)
    assert "geventpool." not in output
    assert "checked" in output


@pytest.mark.parametrize("hub", ["gevent", "eventlet"])
def test_django_imported_before_patching_is_a_warning(hub: str) -> None:
    needs(hub)
    output = run("import django.db; settings()\n" + PATCH[hub] + REPORT)
    assert f"(geventpool.W001) django.db was imported before {hub} patched" in output
    assert "geventpool.W002" not in output  # it was the engine that imported the driver


def test_django_imported_before_patching_is_refused_to_the_second_greenlet() -> None:
    needs("gevent")
    output = run(
        "import django.db; settings()\n"
        + PATCH["gevent"]
        + """
import gevent
from django.db import DatabaseError, connection
def query():
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        print("served")
    except DatabaseError as error:
        print("refused:", error)
first = gevent.spawn(query); first.join()  # kept, so that its identity is not given on
second = gevent.spawn(query); second.join()
"""
    )
    assert "served" in output
    assert "refused: DatabaseWrapper objects created in a thread can only be used in" in output


def test_without_patching_the_order_of_imports_does_not_matter() -> None:
    output = run(f"import django.db, {DRIVER}; settings()\n" + REPORT)
    assert "geventpool." not in output


@pytest.mark.parametrize("hub", ["gevent", "eventlet"])
def test_the_driver_imported_before_patching_is_a_warning_for_psycopg_3(
    hub: str, is_psycopg3: bool
) -> None:
    needs(hub)
    output = run(f"import {DRIVER}\n" + PATCH[hub] + "settings()\n" + REPORT)
    assert (f"(geventpool.W002) psycopg was imported before {hub}" in output) is is_psycopg3
    assert "geventpool.W001" not in output
    assert "checked" in output


# A second greenlet touches a busy connection. The alarm ends what would else hang for ever.
BUSY = """
import os, signal, threading
from django.db import connections
signal.signal(signal.SIGALRM, lambda *_: (print("hangs", flush=True), os._exit(0)))
connection = connections["default"]
connection.inc_thread_sharing()
def query(seconds):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(%s)", [seconds])
connection.ensure_connection()
busy = threading.Thread(target=query, args=(0.5,)); busy.start()
while connection.connection.pgconn.transaction_status != 1:
    threading.Event().wait(0.01)
signal.alarm(ALARM)
query(0)
busy.join()
print("goes on")
"""


@pytest.mark.parametrize("hub", ["gevent", "eventlet"])
def test_psycopg_imported_before_patching_hangs_where_a_connection_is_shared(
    hub: str, is_psycopg3: bool
) -> None:
    needs(hub)
    if not is_psycopg3:
        pytest.skip("psycopg2 locks in C: https://www.psycopg.org/docs/usage.html")
    late = run("import psycopg\n" + PATCH[hub] + "settings()" + BUSY.replace("ALARM", "3"))
    early = run(PATCH[hub] + "settings()" + BUSY.replace("ALARM", "40"))
    assert ("hangs" in late, "goes on" in early) == (True, True)


def test_a_hub_that_is_not_in_charge_is_a_warning(other: Any) -> None:
    hub = "gevent" if HUB == "threads" else "threads"
    other(OPTIONS={"HUB": hub})
    issue = only(geventpool())
    assert issue.id == "geventpool.W003"
    assert f"DATABASES['other']: OPTIONS['HUB'] is '{hub}', but " in issue.msg


def test_the_hub_that_is_in_charge_may_be_named(other: Any) -> None:
    other(OPTIONS={"HUB": HUB})
    assert geventpool() == []


@pytest.fixture
def wait_callback(is_psycopg3: bool) -> Iterator[Any]:
    """psycopg2's setter of it; what was there comes back."""
    if is_psycopg3:
        pytest.skip("psycopg 3 has no wait callback: https://www.psycopg.org/psycopg3/docs/")
    from psycopg2 import extensions

    before = extensions.get_wait_callback()
    yield extensions.set_wait_callback
    extensions.set_wait_callback(before)


@pytest.mark.parametrize("library", ["gevent", "eventlet"])
def test_a_callback_of_psycogreen_for_the_other_library_is_a_warning(
    library: str, wait_callback: Any
) -> None:
    def callback(connection: Any) -> None: ...

    callback.__module__ = f"psycogreen.{library}"  # importing it would need that library
    wait_callback(callback)
    found = [issue.id for issue in geventpool()]
    assert found == (["geventpool.W004"] if HUB not in ("threads", library) else [])


# -- the server


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Any:
    return lambda number: monkeypatch.setenv("WEB_CONCURRENCY", str(number))


def on_database(alias: str) -> list[CheckMessage]:
    return run_checks(tags=["database"], databases=[alias])


def test_room_enough_on_the_server_is_well(database: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WEB_CONCURRENCY", raising=False)
    one = database(MAX_CONNS=2)
    assert on_database(one.alias) == []
    assert (one.pool.stats().in_use, one.pool.stats().idle) == (0, 1)


def test_more_connections_than_the_server_allows_are_a_warning(
    database: Any, observer: Any, workers: Any
) -> None:
    workers(1000)
    one = database(MAX_CONNS=3)
    one.query("SELECT 1")
    issue = only(on_database(one.alias))
    ((at_most, reserved),) = observer(
        "SELECT current_setting('max_connections')::int,"
        " (SELECT sum(setting::int) FROM pg_settings"
        "  WHERE name IN ('reserved_connections', 'superuser_reserved_connections'))"
    )
    assert issue.id == "geventpool.W005"
    assert f"DATABASES['{one.alias}']: the pools may open more connections" in issue.msg
    assert f"(4 for 'default' + 3 for '{one.alias}') x 1000 worker processes = 7000" in issue.msg
    assert f"max_connections {at_most} - {reserved} reserved = {at_most - reserved}." in issue.msg
    assert "WEB_CONCURRENCY is 1000" in str(issue.hint)
    assert one.connection.connection is not None  # as it was before


@pytest.mark.parametrize("value", ["", "many", "0", "-1"])
def test_a_number_of_workers_that_is_none_counts_as_one(
    database: Any, workers: Any, value: str
) -> None:
    workers(value)
    assert "x 1 worker process = 10004;" in only(on_database(database(MAX_CONNS=10000).alias)).msg


def test_only_aliases_on_the_same_server_are_added_up(
    database: Any, other: Any, workers: Any
) -> None:
    workers(1000)
    other(HOST="db.example.com", OPTIONS={"MAX_CONNS": 50})
    assert "= 5000;" in only(on_database(database(MAX_CONNS=1).alias)).msg


@pytest.fixture
def role(observer: Any) -> Iterator[str]:
    """A role that is no superuser; its password is its name."""
    with connections["observer"].cursor() as cursor:
        cursor.execute("CREATE ROLE checks LOGIN PASSWORD 'checks'")
        yield "checks"
        cursor.execute("DROP ROLE checks")


@pytest.mark.parametrize(("limit", "fires"), [(1, True), (2, False), (-1, False)])
def test_the_limit_of_the_role_is_kept(database: Any, role: str, limit: int, fires: bool) -> None:
    with connections["observer"].cursor() as cursor:
        cursor.execute(f"ALTER ROLE {role} CONNECTION LIMIT {limit}")
    one = database({"USER": role, "PASSWORD": role}, MAX_CONNS=2)
    issues = on_database(one.alias)
    assert [issue.id for issue in issues] == ["geventpool.W005"] * fires
    for issue in issues:
        assert "than the role allows: MAX_CONNS (2 for" in issue.msg
        assert "its CONNECTION LIMIT is 1." in issue.msg


@pytest.mark.parametrize(("limit", "fires"), [(5, True), (6, False)])
def test_the_limit_of_the_database_is_kept(
    database: Any, role: str, test_database: str, limit: int, fires: bool
) -> None:
    one = database({"USER": role, "PASSWORD": role}, MAX_CONNS=2)
    with connections["observer"].cursor() as cursor:
        cursor.execute(f'ALTER DATABASE "{test_database}" CONNECTION LIMIT {limit}')
        try:
            issues = on_database(one.alias)
        finally:
            cursor.execute(f'ALTER DATABASE "{test_database}" CONNECTION LIMIT -1')
    assert [issue.id for issue in issues] == ["geventpool.W005"] * fires
    for issue in issues:
        assert (
            f"the database allows: MAX_CONNS (4 for 'default' + 2 for '{one.alias}')" in issue.msg
        )
        assert "its CONNECTION LIMIT is 5." in issue.msg


def test_limits_do_not_hold_for_a_superuser(database: Any, role: str, test_database: str) -> None:
    one = database({"USER": role, "PASSWORD": role}, MAX_CONNS=2)
    with connections["observer"].cursor() as cursor:
        cursor.execute(f"ALTER ROLE {role} SUPERUSER CONNECTION LIMIT 1")
        cursor.execute(f'ALTER DATABASE "{test_database}" CONNECTION LIMIT 5')
        try:
            assert on_database(one.alias) == []
        finally:
            cursor.execute(f'ALTER DATABASE "{test_database}" CONNECTION LIMIT -1')


def test_a_server_that_does_not_answer_is_left_to_whoever_needs_it(other: Any) -> None:
    other(PORT="1", OPTIONS={"MAX_CONNS": 10000, "connect_timeout": 5})
    try:
        assert on_database("other") == []
    finally:
        connections["other"].close_pool()
        del connections["other"]


# -- manage.py


def test_manage_py_check_reports_what_is_wrong_with_default(site: Any) -> None:
    output = site("check", databases="{'default': bad}")
    assert "?: (geventpool.W003) DATABASES['default']: OPTIONS['HUB'] is 'gevent', but" in output
    assert "HINT: Leave HUB out" in output


def test_manage_py_check_is_content_with_good_settings(site: Any) -> None:
    output = site("check", databases="{'default': ours, 'other': theirs}")
    assert "System check identified no issues" in output


def test_an_alias_beside_default_is_seen_with_the_app_installed(site: Any) -> None:
    databases = "{'default': theirs, 'other': bad}"
    if DRIVER != "psycopg2cffi":  # on which Django's own engine needs the app
        assert "no issues" in site("check", databases=databases)  # nothing imports our engine
    output = site("check", databases=databases, APPS="django_db_geventpool")
    assert "(geventpool.W003) DATABASES['other']" in output


def test_any_alias_that_is_named_is_compared_with_its_server(site: Any) -> None:
    arguments = ("check", "--database", "default", "--database", "other")
    databases = "{'default': theirs, 'other': ours}"
    environ = {"WEB_CONCURRENCY": "1000", "APPS": "django_db_geventpool"}
    output = site(*arguments, databases=databases, **environ)
    assert "(geventpool.W005) DATABASES['other']" in output
    assert "(4 for 'other') x 1000 worker processes = 4000" in output
    assert "no issues" in site("check", databases=databases, **environ)
