"""What Django sets up on a connection holds on every one, opened or lent again."""

from __future__ import annotations

import datetime
import io
import socket
from collections.abc import Iterator
from typing import Any, Callable

import pytest
from django.db import OperationalError, transaction
from django.db import connection as default_connection
from django.db.backends.signals import connection_created
from django.db.models.fields.json import KT
from django.test import override_settings

from django_db_geventpool.signals import connection_opened

from .models import Item
from .tasks import spawn, until


def twice(database: Any, sql: str) -> list[Any]:
    """The answer on a new connection, and on the same one lent again."""
    answers = []
    for _ in range(2):
        answers.append(database.query(sql))
        database.connection.close()
    assert database.pool.stats().idle == 1
    return answers


def test_a_wrapper_whose_settings_change_gets_another_connection(database: Any) -> None:
    one = database(MAX_CONNS=2)
    one.query("SELECT 1")
    one.connection.close()
    one.connection.settings_dict["OPTIONS"]["application_name"] = "another"
    assert one.query("SHOW application_name") == "another"
    one.connection.close()


def test_time_zone_holds(database: Any) -> None:
    one = database({"TIME_ZONE": "Asia/Tokyo"}, MAX_CONNS=1)
    assert twice(one, "SHOW timezone") == ["Asia/Tokyo"] * 2


def test_a_time_zone_that_a_borrower_set_is_put_right_for_the_next(database: Any) -> None:
    one = database(MAX_CONNS=1)
    one.execute("SET TIME ZONE 'Asia/Tokyo'")
    one.connection.close()
    assert one.query("SHOW timezone") == "UTC"


def test_a_change_of_the_time_zone_setting_reaches_pooled_connections(database: Any) -> None:
    one = database(MAX_CONNS=1)
    assert twice(one, "SHOW timezone") == ["UTC"] * 2
    with override_settings(USE_TZ=False, TIME_ZONE="Europe/Madrid"):
        assert twice(one, "SHOW timezone") == ["Europe/Madrid"] * 2
    assert twice(one, "SHOW timezone") == ["UTC"] * 2


@pytest.mark.session("SET ROLE")
def test_assume_role_holds(database: Any) -> None:
    assert (
        twice(database(MAX_CONNS=1, assume_role="pg_monitor"), "SELECT current_user")
        == ["pg_monitor"] * 2
    )


@pytest.mark.session("SET ROLE")
def test_what_costs_round_trips_is_set_up_once_for_each_physical_connection(
    database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db.backends.postgresql.base import DatabaseWrapper

    one, calls = database(MAX_CONNS=1, assume_role="pg_monitor"), []
    name = "_configure_role" if hasattr(DatabaseWrapper, "_configure_role") else "ensure_role"
    set_role = getattr(DatabaseWrapper, name)

    def counting(*args: Any) -> Any:
        calls.append(args)
        return set_role(*args)

    monkeypatch.setattr(DatabaseWrapper, name, counting)
    assert twice(one, "SELECT current_user") == ["pg_monitor"] * 2
    assert len(calls) == 1


def test_isolation_level_holds(database: Any) -> None:
    from django.db.backends.postgresql.psycopg_any import IsolationLevel

    one = database(MAX_CONNS=1, isolation_level=IsolationLevel.SERIALIZABLE)
    for _ in range(2):
        one.connection.set_autocommit(False)
        assert one.query("SHOW transaction_isolation") == "serializable"
        one.connection.close()
    level = spawn(lambda: (one.query("SELECT 1"), one.connection.isolation_level)[1]).result()
    assert level == IsolationLevel.SERIALIZABLE


def test_json_is_read_as_django_reads_it(database: Any) -> None:
    one = database(MAX_CONNS=1)
    items = Item.objects.using(one.alias)
    item = items.create(name="json", data={"a": [1, None, "x"]})
    for _ in range(2):
        assert items.get(pk=item.pk).data == {"a": [1, None, "x"]}
        assert items.annotate(first=KT("data__a__2")).get(pk=item.pk).first == "x"
        one.connection.close()
    item.delete()


def test_datetimes_are_aware_in_the_connections_time_zone(database: Any) -> None:
    one = database(MAX_CONNS=1)
    moment = datetime.datetime(2026, 7, 1, 12, tzinfo=datetime.timezone.utc)
    items = Item.objects.using(one.alias)
    item = items.create(name="when", made=moment)
    for _ in range(2):
        assert items.get(pk=item.pk).made == moment
        one.connection.close()
    item.delete()


def test_connection_created_is_sent_at_each_checkout_as_django_sends_it(database: Any) -> None:
    one, heard = database(MAX_CONNS=1), []

    def hear(connection: Any, **kwargs: Any) -> None:
        heard.append(connection.alias)

    connection_created.connect(hear)
    try:
        twice(one, "SELECT 1")
    finally:
        connection_created.disconnect(hear)
    assert heard == [one.alias] * 2


@pytest.fixture
def on_opened() -> Iterator[Callable[[Callable[..., object]], None]]:
    """Connects a receiver of connection_opened for the time of a test."""
    receivers: list[Callable[..., object]] = []

    def connect(receiver: Callable[..., object]) -> None:
        connection_opened.connect(receiver)
        receivers.append(receiver)

    yield connect
    for receiver in receivers:
        connection_opened.disconnect(receiver)


@pytest.mark.session("SET")
def test_connection_opened_is_sent_once_for_each_physical_connection(
    database: Any, on_opened: Any
) -> None:
    one, heard = database(MAX_CONNS=1), []

    def set_up(connection: Any, **kwargs: Any) -> None:
        heard.append(connection.alias)
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout TO '7s'")

    on_opened(set_up)
    assert twice(one, "SHOW lock_timeout") == ["7s"] * 2
    assert heard == [one.alias]


@pytest.mark.session("SET")
def test_connection_opened_is_sent_again_after_a_discard(database: Any, on_opened: Any) -> None:
    one, heard = database(MAX_CONNS=1, RESET="discard"), []

    def set_up(connection: Any, **kwargs: Any) -> None:
        heard.append(connection.alias)
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout TO '7s'")

    on_opened(set_up)
    for _ in range(2):
        assert one.query("SHOW lock_timeout") == "7s"
        one.connection.close()
        until(lambda: one.pool.stats().idle == 1)
    assert heard == [one.alias] * 3


def test_a_receiver_that_leaves_a_transaction_open_is_told_so(
    database: Any, on_opened: Any
) -> None:
    one = database(MAX_CONNS=1)

    def begin(connection: Any, **kwargs: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")

    on_opened(begin)
    with pytest.raises(OperationalError, match="in a transaction after its set-up"):
        one.query("SELECT 1")
    until(lambda: one.pool.stats().empty == 1)


def test_what_a_receiver_raises_is_the_error_of_who_asked(database: Any, on_opened: Any) -> None:
    one = database(MAX_CONNS=1)

    def fail(**kwargs: Any) -> None:
        raise LookupError("no such tenant")

    on_opened(fail)
    with pytest.raises(LookupError, match="no such tenant"):
        one.query("SELECT 1")
    until(lambda: one.pool.stats().empty == 1)


def test_copy_works(database: Any) -> None:
    one, lines = database(MAX_CONNS=1), "".join(f"{number}\n" for number in range(10_000))
    with transaction.atomic(using=one.alias), one.connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE copied (number int) ON COMMIT DROP")
        if hasattr(cursor, "copy_expert"):  # psycopg2
            cursor.copy_expert("COPY copied FROM STDIN", io.StringIO(lines))
            cursor.copy_expert("COPY copied TO STDOUT", output := io.StringIO())
            text = output.getvalue()
        else:
            with cursor.copy("COPY copied FROM STDIN") as copy:
                copy.write(lines)
            with cursor.copy("COPY copied TO STDOUT") as copy:
                text = b"".join(copy).decode()
    assert text == lines
    assert one.query("SELECT 42") == 42


@pytest.mark.session("the startup parameter 'options' is refused")
def test_an_option_of_the_driver_reaches_the_server(database: Any) -> None:
    one = database(MAX_CONNS=1, options="-c statement_timeout=1234")
    assert twice(one, "SHOW statement_timeout") == ["1234ms"] * 2


def test_the_next_physical_connection_uses_the_password_of_now(database: Any) -> None:
    one = database(MAX_CONNS=1, WAIT_TIMEOUT=1)
    pool = one.pool
    settings = one.connection.settings_dict
    settings["PASSWORD"], right = "wrong", settings["PASSWORD"]
    with pytest.raises(Exception, match="(password|SASL) authentication failed") as caught:
        one.query("SELECT 1")
    assert right not in str(caught.value)
    settings["PASSWORD"] = right
    assert one.query("SELECT 1") == 1
    assert one.pool is pool


@pytest.mark.timeout(30)
def test_connect_timeout_holds_against_a_server_that_never_answers(database: Any) -> None:
    """By itself psycopg2 on a hub ignores it, as PQconnectPoll does:
    https://www.postgresql.org/docs/current/libpq-connect.html
    """
    one = database(MAX_CONNS=1, connect_timeout=1)
    settings = one.connection.settings_dict
    host, port = settings["HOST"], settings["PORT"]
    with socket.create_server(("127.0.0.1", 0)) as mute:
        settings.update(HOST="127.0.0.1", PORT=str(mute.getsockname()[1]))
        with pytest.raises(OperationalError, match="timeout expired"):
            one.connection.ensure_connection()
    settings.update(HOST=host, PORT=port)
    settings["OPTIONS"]["connect_timeout"] = 20  # a busy machine may need more than one second
    assert one.query("SELECT 1") == 1


def test_connect_timeout_may_come_from_the_environment(
    database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "2")
    one = database(MAX_CONNS=1)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        settings = one.connection.settings_dict
        other = {"HOST": "127.0.0.1", "PORT": str(mute.getsockname()[1])}
        before = {name: settings[name] for name in other}
        settings.update(other)
        with pytest.raises(OperationalError, match="timeout expired"):
            one.connection.ensure_connection()
        settings.update(before)
    monkeypatch.delenv("PGCONNECT_TIMEOUT")  # a busy machine may need more than two seconds
    assert one.query("SELECT 1") == 1


@pytest.mark.session("its idle connections keep a database from being copied or dropped")
def test_test_databases_are_cloned_and_dropped_with_a_used_pool(
    test_database: str, observer: Any
) -> None:
    creation = default_connection.creation
    with default_connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    default_connection.close()
    assert default_connection.geventpool.stats().idle == 1
    creation.clone_test_db("7", verbosity=0)
    clone = creation.get_test_db_clone_settings("7")["NAME"]
    assert observer("SELECT 1 FROM pg_database WHERE datname = %s", clone)
    creation.destroy_test_db(suffix="7", verbosity=0)
    assert not observer("SELECT 1 FROM pg_database WHERE datname = %s", clone)


def test_the_drivers_own_connect_is_what_opens_connections(
    database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tracers patch it; and they see it once for each physical connection."""
    one, seen = database(MAX_CONNS=1), []
    driver = one.connection.Database
    connect = driver.connect
    monkeypatch.setattr(
        driver, "connect", lambda *args, **kwargs: seen.append(1) or connect(*args, **kwargs)
    )
    twice(one, "SELECT 1")
    assert len(seen) == 1
