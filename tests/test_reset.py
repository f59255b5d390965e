"""RESET="discard": nothing of one borrower's session is seen by the next."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from .tasks import until

pytestmark = pytest.mark.session("what a request leaves in a session, and DISCARD ALL")

#: What a borrower does, and what the next one asks the server: so it answers if nothing is left.
TRACES = {
    "a setting": ("SET statement_timeout = 12345", "SHOW statement_timeout", "0"),
    "a setting of the site's own": (
        "SET app.tenant = 'red'",
        "SELECT coalesce(current_setting('app.tenant', true), '')",
        "",
    ),
    "search_path": ("SET search_path = pg_catalog", "SHOW search_path", '"$user", public'),
    "a role": ("SET ROLE pg_read_all_data", "SELECT current_user = session_user", True),
    "an advisory lock": (
        "SELECT pg_advisory_lock(42)",
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
        " AND pid = pg_backend_pid() AND objid = 42",
        0,
    ),
    "a temporary table": (
        "CREATE TEMP TABLE mine AS SELECT 1",
        "SELECT to_regclass('mine') IS NULL",
        True,
    ),
    "a LISTEN": ("LISTEN news", "SELECT count(*) FROM pg_listening_channels()", 0),
    "a prepared statement": (
        "PREPARE answer AS SELECT 42",
        "SELECT count(*) FROM pg_prepared_statements",
        0,
    ),
    "the time zone": ("SET TIME ZONE 'Asia/Tokyo'", "SHOW timezone", "UTC"),
}


def next_borrower(one: Any) -> int:
    """Give back, and wait until the connection is fit again; its pid."""
    pid: int = one.query("SELECT pg_backend_pid()")
    one.connection.close()
    until(lambda: one.pool.stats().idle == 1)
    return pid


@pytest.mark.parametrize("trace", TRACES)
def test_with_discard_the_next_borrower_sees_nothing(database: Any, trace: str) -> None:
    leave, ask, nothing = TRACES[trace]
    one = database(MAX_CONNS=1, RESET="discard")
    assert one.query(ask) == nothing
    one.execute(leave)
    assert one.query(ask) != nothing
    pid = next_borrower(one)
    assert one.query(ask) == nothing
    assert one.query("SELECT pg_backend_pid()") == pid, "the same session"


def test_with_rollback_the_next_borrower_sees_it(database: Any) -> None:
    leave, ask, nothing = TRACES["a setting"]
    one = database(MAX_CONNS=1)
    one.execute(leave)
    next_borrower(one)
    assert one.query(ask) != nothing


def test_role_and_time_zone_are_set_again_before_the_next_borrower_comes(database: Any) -> None:
    one = database(
        {"TIME_ZONE": "Europe/Rome"}, MAX_CONNS=1, RESET="discard", assume_role="pg_monitor"
    )
    one.query("SELECT 1")
    next_borrower(one)
    with one.pool._idle[0].connection.cursor() as cursor:  # nobody has borrowed it yet
        cursor.execute("SELECT current_user::text, current_setting('timezone')")
        assert cursor.fetchone() == ("pg_monitor", "Europe/Rome")


def test_an_open_transaction_is_rolled_back_before_all_is_discarded(database: Any) -> None:
    one = database(MAX_CONNS=1, RESET="discard")
    one.connection.set_autocommit(False)
    one.execute("CREATE TABLE never_committed AS SELECT 1")
    pid = next_borrower(one)
    assert one.query("SELECT to_regclass('never_committed') IS NULL")
    assert one.query("SELECT pg_backend_pid()") == pid
    assert one.connection.get_autocommit()


def test_statements_that_the_driver_prepared_are_prepared_again(database: Any) -> None:
    one = database(MAX_CONNS=1, RESET="discard")
    for _ in range(3):
        for _ in range(7):  # psycopg 3 prepares what it has seen five times
            assert one.query("SELECT %s::int", 42) == 42
        next_borrower(one)


def test_notifications_for_one_borrower_do_not_reach_the_next(database: Any) -> None:
    one = database(MAX_CONNS=1, RESET="discard")
    one.execute("LISTEN news")
    one.execute("NOTIFY news")
    one.query("SELECT 1")
    next_borrower(one)
    one.connection.ensure_connection()
    raw = one.connection.connection
    if hasattr(raw, "set_session"):  # psycopg2
        assert raw.notifies == []
    else:
        assert list(raw.notifies(timeout=0)) == []


def test_dates_are_read_after_a_reset_whatever_the_roles_own_style_is(database: Any) -> None:
    """psycopg2 sets the style once, when it connects."""
    one = database(MAX_CONNS=1, RESET="discard")
    one.execute("ALTER ROLE CURRENT_USER SET datestyle TO 'German, DMY'")
    try:
        one.connection.close_pool()
        for _ in range(3):
            assert one.query("SELECT date '2026-11-22'") == datetime.date(2026, 11, 22)
            next_borrower(one)
    finally:
        one.execute("ALTER ROLE CURRENT_USER RESET datestyle")
