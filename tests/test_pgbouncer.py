"""Through a PgBouncer in transaction mode: the limits, the transactions, what a kill leaves."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import transaction
from django.db.models import F

from . import pgbouncer, plugin_django
from .models import Item
from .plugin_hub import HUB
from .tasks import spawn, until

greenlets_only = pytest.mark.skipif(
    HUB == "threads",
    reason="a thread cannot be killed: https://docs.python.org/3/library/threading.html",
)


@pytest.fixture(autouse=True)
def needs_pgbouncer() -> None:
    if plugin_django.SERVER.direct is None:
        pytest.skip("there is none here; PG_PROVIDER=pgbouncer asks for https://www.pgbouncer.org/")


def ask(command: str) -> list[dict[str, Any]]:
    return pgbouncer.ask(plugin_django.SERVER, command)


def pool_size() -> int:
    config = {row["key"]: row["value"] for row in ask("SHOW CONFIG")}
    return int(config["default_pool_size"])


def pool_of(database: Any) -> dict[str, Any]:
    """What PgBouncer counts for this database; other aliases on it are among that."""
    settings = database.connection.settings_dict
    of = settings["NAME"], settings["USER"]
    (row,) = (row for row in ask("SHOW POOLS") if (row["database"], row["user"]) == of)
    return row


@pytest.fixture
def all_wait(database: Any) -> Any:
    """Let so many tasks wait for a lock, each with a connection of the server if it gets one.

    Somebody else holds the lock, in a transaction and so with another one, to the block's end.
    """

    @contextmanager
    def begin(many: Any, number: int) -> Iterator[list[Any]]:
        many.warm(many.pool.config.max_conns)  # to set one up takes a connection of the server, too
        blocker = database(MAX_CONNS=1)
        with transaction.atomic(using=blocker.alias):
            blocker.query("SELECT pg_advisory_xact_lock(4712) IS NULL")
            sql = "SELECT pg_advisory_xact_lock_shared(4712) IS NOT NULL"
            yield [spawn(many.query, sql) for _ in range(number)]

    return begin


def test_it_is_in_transaction_mode(database: Any) -> None:
    one = database(MAX_CONNS=1)
    one.query("SELECT 1")
    assert pool_of(one)["pool_mode"] == "transaction"


def test_sixty_tasks_at_once_are_four_clients(database: Any) -> None:
    four = database(MAX_CONNS=4)
    tasks = [spawn(four.query, "SELECT pg_sleep(0.02) IS NOT NULL") for _ in range(60)]
    peak = four.peak_of(tasks)
    assert [task.result() for task in tasks] == [True] * 60
    assert peak == len(four.sessions()) == 4


def test_more_clients_than_its_pool_has_connections_are_all_served(
    database: Any, all_wait: Any
) -> None:
    """The limits are kept on both sides, and who waits for what is known."""
    size = pool_size()
    many = database(MAX_CONNS=size + 10)
    with all_wait(many, size + 20) as tasks:
        until(lambda: pool_of(many)["cl_waiting"] == 11)
        assert pool_of(many)["sv_active"] == size
        assert len(many.server_pids()) == size - 1
        assert len(many.sessions()) == size + 10
        assert many.pool.stats().waiting == 10
    assert [task.result() for task in tasks] == [True] * (size + 20)


def test_a_transaction_has_one_session_and_none_in_between(database: Any) -> None:
    """While two transactions are open there are two; a session is lent to whoever begins next."""
    one, other = database(MAX_CONNS=1), database(MAX_CONNS=1)
    with transaction.atomic(using=one.alias):
        first = one.query("SELECT pg_backend_pid()")
        second = other.query("SELECT pg_backend_pid()")
        assert one.query("SELECT pg_backend_pid()") == first != second
    with transaction.atomic(using=other.alias):
        assert other.query("SELECT pg_backend_pid()") == first


def test_transactions_are_kept_apart_and_rolled_back(database: Any) -> None:
    three = database(MAX_CONNS=3)
    items = Item.objects.using(three.alias)
    counter = items.create(name="counter", data=0)

    def count(fails: bool) -> None:
        with transaction.atomic(using=three.alias):
            items.select_for_update().get(pk=counter.pk)
            items.filter(pk=counter.pk).update(name=F("name"))
            item = items.get(pk=counter.pk)
            item.data += 1
            item.save(using=three.alias)
            if fails:
                raise LookupError

    tasks = [spawn(count, number % 2 == 0) for number in range(20)]
    errors = [task.error() for task in tasks]
    assert [type(error) for error in errors] == [LookupError, type(None)] * 10
    assert items.get(pk=counter.pk).data == 10
    counter.delete()


def steps(one: Any, other: Any) -> list[str]:
    """Iterate, while somebody else's transaction takes the session with which that began."""
    items = Item.objects.using(one.alias)
    for number in range(4):
        items.create(name=f"step {number}")
    try:
        found = items.filter(name__startswith="step").order_by("name").iterator(chunk_size=1)
        names = [next(found).name]
        with transaction.atomic(using=other.alias):
            other.query("SELECT 1")
            return names + [item.name for item in found]
    finally:
        items.filter(name__startswith="step").delete()


def test_an_iterator_uses_no_cursor_of_the_server(database: Any) -> None:
    assert steps(database(MAX_CONNS=1), database(MAX_CONNS=1)) == [f"step {n}" for n in range(4)]


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # psycopg 3 misses the cursor's end
def test_with_cursors_of_the_server_an_iterator_fails(database: Any) -> None:
    """That is why DISABLE_SERVER_SIDE_CURSORS is set for all others."""
    one = database({"DISABLE_SERVER_SIDE_CURSORS": False}, MAX_CONNS=1)
    with pytest.raises(Exception, match="does not exist"):
        steps(one, database(MAX_CONNS=1))
    gc.collect()
    ask("RECONNECT")  # the cursor is left in a session


def test_each_client_has_its_own_time_zone(database: Any) -> None:
    """PgBouncer sets again for each client what the server reports of it."""
    zones = {zone: database({"TIME_ZONE": zone}, MAX_CONNS=1) for zone in ("Asia/Tokyo", "UTC")}
    for _ in range(3):
        assert [one.query("SHOW timezone") for one in zones.values()] == list(zones)


def test_a_connection_that_the_server_ended_is_nothing_to_its_clients(
    database: Any, observer: Any
) -> None:
    one = database(MAX_CONNS=1)
    one.query("SELECT 1")
    (client,), dead = one.sessions(), one.server_pids()
    for pid in dead:
        observer("SELECT pg_terminate_backend(%s)", pid)
    until(lambda: not {row["remote_pid"] for row in ask("SHOW SERVERS")} & set(dead))
    assert one.query("SELECT pg_backend_pid()") not in dead
    assert one.sessions() == [client]


def is_running(observer: Any, database: Any) -> Any:
    return observer(
        "SELECT pid FROM pg_stat_activity WHERE application_name = %s AND state <> 'idle'",
        database.alias,
    )


@greenlets_only
def test_a_kill_in_mid_query_leaves_no_client_and_no_statement(
    database: Any, observer: Any
) -> None:
    five = database(MAX_CONNS=5)
    tasks = [spawn(five.query, "SELECT pg_sleep(60)") for _ in range(5)]
    until(lambda: len(is_running(observer, five)) == 5)
    for task in tasks:
        task.kill()
    until(lambda: not is_running(observer, five))
    until(lambda: five.pool.stats().in_use + five.pool.stats().closing == 0)
    until(lambda: len(five.sessions()) == five.pool.stats().idle)
    assert five.query("SELECT 42") == 42


@greenlets_only
def test_a_kill_while_pgbouncer_has_no_connection_for_it_leaves_no_client(
    database: Any, observer: Any, all_wait: Any
) -> None:
    size = pool_size()
    many = database(MAX_CONNS=size + 5)
    with all_wait(many, size + 5) as tasks:
        until(lambda: pool_of(many)["cl_waiting"] == 6)
        for task in tasks:
            task.kill()
        until(lambda: many.pool.stats().in_use + many.pool.stats().closing == 0)
        until(lambda: len(many.sessions()) == many.pool.stats().idle)
    until(lambda: not is_running(observer, many))
    assert many.query("SELECT 42") == 42


@greenlets_only
def test_a_kill_in_a_transaction_is_rolled_back_and_frees_its_locks(
    database: Any, observer: Any
) -> None:
    one = database(MAX_CONNS=1)
    items = Item.objects.using(one.alias)
    item = items.create(name="locked")
    one.connection.close()

    def hold() -> None:
        with transaction.atomic(using=one.alias):
            items.filter(pk=item.pk).update(name="never seen")
            until(lambda: False)

    task = spawn(hold)
    until(lambda: is_running(observer, one))
    task.kill()
    with transaction.atomic(using=one.alias):
        assert items.select_for_update().get(pk=item.pk).name == "locked"
    item.delete()
