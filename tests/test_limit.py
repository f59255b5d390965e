"""MAX_CONNS as the server sees it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connections

from django_db_geventpool.errors import PoolTimeout

from .plugin_hub import HUB
from .tasks import spawn, until


def test_sixty_tasks_at_once_on_a_cold_pool_open_four_connections(database: Any) -> None:
    four = database(MAX_CONNS=4)
    tasks = [spawn(four.query, "SELECT pg_sleep(0.02) IS NOT NULL") for _ in range(60)]
    peak = four.peak_of(tasks)
    for task in tasks:
        assert task.result() is True
    assert peak == 4
    assert len(four.sessions()) == 4


def test_idle_connections_fall_to_reuse_conns(database: Any) -> None:
    five = database(MAX_CONNS=5, REUSE_CONNS=2)
    for task in [spawn(five.query, "SELECT pg_sleep(0.01) IS NOT NULL") for _ in range(20)]:
        task.result()
    until(lambda: len(five.sessions()) == 2)
    assert five.pool.stats().idle == 2


def test_churn_of_surplus_connections_never_passes_the_limit(database: Any) -> None:
    """Each query counts the sessions itself, its own among them."""
    two = database(MAX_CONNS=2, REUSE_CONNS=0)
    count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"
    counts = [task.result() for task in [spawn(two.query, count, two.alias) for _ in range(60)]]
    assert set(counts) <= {1, 2}
    until(lambda: not two.sessions())


def test_the_timeout_names_the_alias(database: Any) -> None:
    one = database(MAX_CONNS=1, WAIT_TIMEOUT=0.01)
    one.query("SELECT 1")
    with pytest.raises(PoolTimeout, match=rf"pool '{one.alias}': .* \(MAX_CONNS 1, 1 in use"):
        spawn(one.query, "SELECT 1").result()


def test_copies_of_a_wrapper_count_within_the_same_limit(database: Any) -> None:
    one = database(MAX_CONNS=1, WAIT_TIMEOUT=0)
    one.query("SELECT 1")
    copy = one.connection.copy()
    with pytest.raises(PoolTimeout):
        copy.ensure_connection()
    one.connection.close()
    copy.ensure_connection()
    copy.close()


@pytest.mark.session("the startup parameter 'options' is refused")
def test_a_copy_with_other_settings_never_gets_a_connection_of_the_original(database: Any) -> None:
    one = database(MAX_CONNS=1)
    one.query("SELECT 1")
    other = one.connection.copy()
    one.connection.close()
    other.settings_dict["OPTIONS"]["options"] = "-c search_path=pg_catalog"
    with other.cursor() as cursor:
        cursor.execute("SHOW search_path")
        assert cursor.fetchone() == ("pg_catalog",)
    other.close()


@pytest.mark.session("the startup parameter 'options' is refused")
def test_copies_with_other_settings_count_within_the_limit_too(database: Any) -> None:
    two = database(MAX_CONNS=2)
    for number in range(5):
        copy = two.connection.copy()
        copy.settings_dict["OPTIONS"]["options"] = f"-c search_path=tenant{number}"
        with copy.cursor() as cursor:
            cursor.execute("SHOW search_path")
            assert cursor.fetchone() == (f"tenant{number}",)
        copy.close()
        assert len(two.sessions()) <= 2


@pytest.mark.session("SET ROLE")
def test_a_failed_set_up_does_not_stay_with_the_connection(database: Any) -> None:
    one = database(MAX_CONNS=1, assume_role="latecomer")
    with pytest.raises(Exception, match="latecomer"):
        one.query("SELECT 1")
    one.connection.close()
    with connections["observer"].cursor() as cursor:
        cursor.execute("CREATE ROLE latecomer")
        try:
            assert one.query("SELECT current_user") == "latecomer"
        finally:
            one.connection.close()
            cursor.execute("DROP ROLE latecomer")


@pytest.mark.skipif(HUB == "threads", reason="threads block one by one, there is nothing to show")
def test_queries_of_several_tasks_run_at_the_same_time(database: Any) -> None:
    """Each waits for a lock that only the last one frees: in sequence they would never end."""
    three = database(MAX_CONNS=3)
    three.connection.set_autocommit(False)
    three.query("SELECT pg_advisory_xact_lock(4711) IS NULL")
    waiting = [
        spawn(three.query, "SELECT pg_advisory_xact_lock_shared(4711) IS NULL") for _ in range(2)
    ]
    until(lambda: three.pool.stats().in_use == 3)
    three.connection.commit()
    for task in waiting:
        task.result()
