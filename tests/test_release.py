"""RELEASE="transaction": held as long as it must be, and not longer."""

from __future__ import annotations

import io
from threading import Event
from typing import Any

import pytest
from django.db import NotSupportedError, connections, transaction
from django.db.backends.postgresql.psycopg_any import is_psycopg3
from django.db.models import Func, TextField, Value
from django.test.utils import CaptureQueriesContext
from django.utils.connection import ConnectionDoesNotExist

from django_db_geventpool.backends.statements import is_harmless, leaves_something
from django_db_geventpool.session import Session
from django_db_geventpool.utils import hold_connection

from .models import Item
from .plugin_hub import HUB
from .tasks import spawn, until, until_freed

greenlets_only = pytest.mark.skipif(
    HUB == "threads",
    reason="a thread cannot be killed: https://docs.python.org/3/library/threading.html",
)


@pytest.fixture
def one(database: Any) -> Any:
    """At most one connection, so that whoever holds it is in everybody's way."""
    return database(MAX_CONNS=1, WAIT_TIMEOUT=0.1, RELEASE="transaction")


def is_held(one: Any) -> bool:
    return bool(one.pool.stats().in_use)


def items(one: Any) -> Any:
    return Item.objects.using(one.alias)


# -- it goes back


def test_after_a_statement_nobody_holds_it(one: Any) -> None:
    assert one.query("SELECT 1") == 1
    assert not is_held(one)
    assert one.query("SELECT 2") == 2
    assert one.pool.stats().idle == 1


def test_by_default_it_is_held_to_the_end_of_the_request(database: Any) -> None:
    other = database(MAX_CONNS=1)
    other.query("SELECT 1")
    assert is_held(other)
    other.connection.close()
    assert not is_held(other)


def test_a_wrapper_on_top_is_told_that_another_session_is_to_come(
    one: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of django-tenants forgets in its close() that it has set a search_path."""
    wrapper, told = one.connection, []
    close = wrapper.close
    monkeypatch.setattr(wrapper, "close", lambda: (told.append(is_held(one)), close()))
    one.query("SELECT 1")
    assert told == [True]
    assert not is_held(one)


def test_a_wrapper_on_top_may_ask_the_database_when_it_is_told(
    one: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapper = one.connection
    close = wrapper.close

    def close_asking() -> None:
        with wrapper.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock_all()")
        close()

    monkeypatch.setattr(wrapper, "close", close_asking)
    assert one.query("SELECT 1") == 1
    assert not is_held(one)


def test_after_an_orm_query_nobody_holds_it(one: Any) -> None:
    assert list(items(one).filter(name="nobody")) == []
    assert not is_held(one)
    item = items(one).create(name="release")
    assert not is_held(one)
    assert items(one).filter(pk=item.pk).delete()[0] == 1
    assert not is_held(one)


def test_two_requests_take_turns_on_one_connection(one: Any) -> None:
    other_may, other_did = Event(), Event()

    def other() -> Any:
        assert other_may.wait(30)
        answer = one.query("SELECT 2")
        other_did.set()
        return answer

    task = spawn(other)
    assert one.query("SELECT 1") == 1
    other_may.set()
    assert other_did.wait(30)
    assert one.query("SELECT 3") == 3
    assert task.result() == 2


def test_after_a_transaction_nobody_holds_it(one: Any) -> None:
    with transaction.atomic(one.alias):
        one.query("SELECT 1")
        with transaction.atomic(one.alias):
            one.query("SELECT 1")
        assert is_held(one)
    assert not is_held(one)


def test_from_the_beginning_of_a_transaction_on_it_is_held(one: Any) -> None:
    with transaction.atomic(one.alias):
        one.connection.cursor().close()
        assert is_held(one)


def test_after_a_rollback_nobody_holds_it(one: Any) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic(one.alias):
        items(one).create(name="rolled back")
        raise ZeroDivisionError
    assert not is_held(one)
    assert not items(one).filter(name="rolled back").exists()


def test_after_an_error_of_the_server_nobody_holds_it(one: Any) -> None:
    with pytest.raises(Exception, match="division by zero"):
        one.query("SELECT 1 / 0")
    assert not is_held(one)
    assert one.query("SELECT 1") == 1


def test_while_on_commit_functions_run_nobody_holds_it(one: Any) -> None:
    held = []

    def note() -> None:
        held.append(is_held(one))
        one.query("SELECT 1")
        held.append(is_held(one))

    with transaction.atomic(one.alias):
        transaction.on_commit(note, using=one.alias)
        one.query("SELECT 1")
    assert held == [False, False]


def test_on_commit_outside_of_a_transaction_takes_no_connection(one: Any) -> None:
    done: list[bool] = []
    transaction.on_commit(lambda: done.append(is_held(one)), using=one.alias)
    assert done == [False]
    assert one.pool.stats().idle == 0


@greenlets_only
def test_a_killed_statement_takes_its_connection_with_it_and_the_next_has_another(one: Any) -> None:
    def handle() -> Any:
        try:
            one.query("SELECT pg_sleep(60)")
        except BaseException:
            return is_held(one), one.query("SELECT 42")

    task = spawn(handle)
    until(lambda: one.pool.stats().in_use == 1 and len(one.sessions()) == 1)
    spawn(task.kill)
    assert task.result() == (False, 42)


# -- it is held as long as it must be


@greenlets_only
def test_a_killed_read_of_the_orm_takes_its_connection_with_it_too(one: Any) -> None:
    """The ORM closes its cursor after an Exception, and a kill is none."""
    sleepy = items(one).annotate(
        slept=Func(Value(60.0), function="pg_sleep", output_field=TextField())
    )
    item = items(one).create(name="sleepy")

    def handle() -> Any:
        try:
            list(sleepy.filter(pk=item.pk))
        except BaseException as error:  # its frames are kept, and the cursor with them
            return error, is_held(one), one.query("SELECT 42")

    task = spawn(handle)
    until(lambda: one.pool.stats().in_use == 1 and len(one.sessions()) == 1)
    spawn(task.kill)
    assert task.result()[1:] == (False, 42)
    item.delete()


def test_a_cursor_that_is_collected_while_another_is_made_leaves_it_the_connection(
    one: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapper, forgotten = one.connection, one.connection.cursor()
    add_cursor = Session.add_cursor

    def collected(session: Any, cursor: Any) -> None:
        forgotten.close()
        add_cursor(session, cursor)

    monkeypatch.setattr(Session, "add_cursor", collected)
    with wrapper.cursor() as cursor:
        assert is_held(one)
        cursor.execute("SELECT 1")
    assert not is_held(one)


def test_a_cursor_that_is_collected_while_a_transaction_begins_leaves_it_the_connection(
    one: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapper, forgotten = one.connection, one.connection.cursor()
    begin = wrapper._set_autocommit

    def collected(autocommit: bool) -> None:
        begin(autocommit)
        forgotten.close()

    monkeypatch.setattr(wrapper, "_set_autocommit", collected)
    with transaction.atomic(one.alias):
        assert is_held(one)
        one.query("SELECT 1")
        assert is_held(one)
    assert not is_held(one)


def test_an_open_cursor_holds_it(one: Any) -> None:
    cursor = one.connection.cursor()
    cursor.execute("SELECT generate_series(1, 3)")
    assert cursor.fetchone() == (1,)
    assert is_held(one)
    assert cursor.fetchmany(1) == [(2,)]
    other = one.connection.cursor()
    other.close()
    assert is_held(one)
    assert cursor.fetchall() == [(3,)]
    cursor.close()
    assert not is_held(one)
    cursor.close()


def test_a_cursor_that_is_thrown_away_holds_it_to_the_next_statement_at_most(one: Any) -> None:
    one.connection.cursor().execute("SELECT 1")

    def is_free_after_another() -> bool:
        one.query("SELECT 1")
        return not is_held(one)

    until_freed(is_free_after_another)


def test_a_cursor_that_somebody_else_closes_gives_nothing_back(one: Any) -> None:
    """As a garbage collection does for whoever happens to run."""
    cursor = one.connection.cursor()
    spawn(cursor.close).result()
    assert is_held(one)
    one.query("SELECT 1")
    assert not is_held(one)


def test_an_iterator_holds_it_until_its_end(one: Any) -> None:
    items(one).bulk_create(Item(name=f"iterator{n}") for n in range(5))
    try:
        iterator = items(one).filter(name__startswith="iterator").iterator(chunk_size=2)
        first = next(iterator)
        reads_all_at_once = one.connection.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS", False)
        assert is_held(one) != reads_all_at_once
        assert items(one).filter(pk=first.pk).exists()  # on the same connection
        assert len(list(iterator)) == 4
        assert not is_held(one)
    finally:
        items(one).filter(name__startswith="iterator").delete()


def test_an_iterator_that_is_left_gives_it_back(one: Any) -> None:
    items(one).bulk_create(Item(name=f"left{n}") for n in range(5))
    try:
        iterator = items(one).filter(name__startswith="left").iterator(chunk_size=2)
        next(iterator)
        iterator.close()
        until_freed(lambda: not is_held(one))
    finally:
        items(one).filter(name__startswith="left").delete()


def test_copy_works(one: Any) -> None:
    with one.connection.cursor() as cursor:
        if hasattr(cursor, "copy"):
            with cursor.copy("COPY (SELECT 42) TO STDOUT") as copy:
                assert [bytes(data) for data in copy] == [b"42\n"]
        else:
            file = io.StringIO()
            cursor.copy_expert("COPY (SELECT 42) TO STDOUT", file)
            assert file.getvalue() == "42\n"
        assert is_held(one)
    assert not is_held(one)


def test_without_autocommit_it_is_held_until_autocommit_is_back(one: Any) -> None:
    transaction.set_autocommit(False, using=one.alias)
    one.query("SELECT 1")
    transaction.commit(using=one.alias)
    assert is_held(one)
    one.query("SELECT 1")
    transaction.rollback(using=one.alias)
    transaction.set_autocommit(True, using=one.alias)
    assert not is_held(one)


def test_a_transaction_begun_in_sql_holds_it_until_its_end(one: Any) -> None:
    one.execute("BEGIN")
    assert is_held(one)
    one.execute("COMMIT")
    assert not is_held(one)


def test_select_for_update_is_held_with_its_transaction(one: Any) -> None:
    item = items(one).create(name="locked")
    with transaction.atomic(one.alias):
        assert items(one).select_for_update().get(pk=item.pk) == item
        assert is_held(one)
    assert not is_held(one)
    item.delete()


@pytest.mark.session("session state")
@pytest.mark.parametrize(
    "sql",
    [
        "SET statement_timeout = 5000",
        " set session statement_timeout = 5000",
        "-- a word before\nSET statement_timeout = 5000",
        "/* a word */ SET statement_timeout = 5000",
        "SELECT 1; SET statement_timeout = 5000",
        "SELECT set_config('statement_timeout', '5000', false)",
        "LISTEN news",
        "CREATE TEMPORARY TABLE scratch (id int)",
        "CREATE TEMP TABLE scratch AS SELECT 1 AS id",
        "SELECT 1 AS id INTO TEMP scratch",
        "SELECT pg_advisory_lock(42)",
        "SELECT pg_try_advisory_lock(42)",
        "PREPARE answer AS SELECT 42",
        "SET/* a word */statement_timeout = 5000",
        "SELECT ';', 1 ; SET statement_timeout = 5000",
        "CREATE TABLE pg_temp.scratch (id int)",
    ],
)
def test_what_a_statement_leaves_in_the_session_is_there_for_the_next(one: Any, sql: str) -> None:
    one.execute(sql)
    assert is_held(one)
    assert one.query("SELECT 1") == 1
    assert is_held(one)
    one.connection.close()
    assert not is_held(one)


@pytest.mark.session("session state")
def test_a_temporary_table_made_in_a_transaction_is_there_after_it(one: Any) -> None:
    with transaction.atomic(one.alias):
        one.execute("CREATE TEMPORARY TABLE scratch AS SELECT 42 AS id")
    assert one.query("SELECT id FROM scratch") == 42


@pytest.mark.session("session state")
def test_the_next_request_is_not_held_because_of_the_last_one(one: Any) -> None:
    one.execute("SET statement_timeout = 5000")
    one.connection.close()
    one.query("SELECT 1")
    assert not is_held(one)


@pytest.mark.parametrize(
    "sql",
    [
        "SET LOCAL statement_timeout = 5000",
        "SET TRANSACTION READ ONLY",
        "SET CONSTRAINTS ALL DEFERRED",
        "UPDATE item SET name = 'x'",
        "SELECT pg_advisory_xact_lock(42)",
        "SELECT temperature FROM weather",
        "NOTIFY news",
        "PREPARE TRANSACTION 'x'",
        "CREATE TABLE template (id int)",
        "SELECT ';'",
        "SET  LOCAL statement_timeout = 5000",
        "SET\nTRANSACTION READ ONLY",
        "INSERT INTO temperatures VALUES ('; set x = 1')",
        "SELECT 1 -- ; SET x = 1",
        "SELECT 1 /* ; SET x = 1 */",
        "",
    ],
)
def test_what_ends_with_its_transaction_holds_nothing(sql: str) -> None:
    assert is_harmless(sql.lower()) or not leaves_something(sql.lower())


@pytest.mark.parametrize("sql", [";" + "/**/" * 5000, ";/*" * 20000, "'" * 20001, ";--" * 20000])
def test_long_statements_are_read_once(sql: str) -> None:
    """Where an expression goes back and forth in them, this takes longer than anybody waits."""
    assert not leaves_something(sql)


def test_a_lock_by_callproc_holds_it(one: Any) -> None:
    with one.connection.cursor() as cursor:
        cursor.callproc("pg_advisory_lock", [42])
    assert is_held(one)
    one.connection.close()


@pytest.mark.parametrize("name", ["currval('numbers')", "lastval()"])
def test_a_question_about_an_earlier_statement_is_refused(one: Any, name: str) -> None:
    with pytest.raises(NotSupportedError, match=r"hold_connection\(\)"):
        one.query(f"SELECT {name}")
    assert not is_held(one)


@pytest.mark.session("session state")
def test_it_is_answered_where_the_session_is_held(one: Any) -> None:
    one.execute("CREATE SEQUENCE numbers")
    try:
        with hold_connection(one.alias):
            assert one.query("SELECT nextval('numbers')") == 1
            assert one.query("SELECT currval('numbers')") == 1
        with transaction.atomic(one.alias):
            assert one.query("SELECT nextval('numbers')") == 2
            assert one.query("SELECT lastval()") == 2
        with one.connection.cursor() as cursor:
            cursor.execute("SELECT nextval('numbers')")
            cursor.execute("SELECT lastval()")
            assert cursor.fetchone() == (3,)
    finally:
        one.execute("DROP SEQUENCE numbers")


def test_sql_that_was_composed_is_read_too(one: Any) -> None:
    from django.db.backends.postgresql.psycopg_any import sql

    with one.connection.cursor() as cursor:
        cursor.execute(sql.SQL("SET {} = 5000").format(sql.Identifier("statement_timeout")))
    assert is_held(one)
    one.connection.close()


# -- hold_connection()


def test_hold_connection_holds_it_for_a_block(one: Any) -> None:
    with hold_connection(one.alias):
        assert not is_held(one)  # the first statement takes it
        one.query("SELECT 1")
        with hold_connection(one.alias):
            one.query("SELECT 1")
        assert is_held(one)
    assert not is_held(one)


def test_hold_connection_lets_go_after_an_error(one: Any) -> None:
    with pytest.raises(ZeroDivisionError), hold_connection(one.alias):
        one.query("SELECT 1")
        raise ZeroDivisionError
    assert not is_held(one)


def test_hold_connection_decorates_functions(one: Any) -> None:
    @hold_connection(one.alias)
    def held() -> bool:
        one.query("SELECT 1")
        return is_held(one)

    assert held()
    assert not is_held(one)


def test_hold_connection_decorates_without_parentheses() -> None:
    @hold_connection
    def answer(number: int) -> int:
        """Its docstring."""
        return number + 1

    assert answer(41) == 42
    assert answer.__doc__ == "Its docstring."


def test_hold_connection_refuses_what_has_not_begun_when_it_returns() -> None:
    async def coroutine() -> None: ...

    def generator() -> Any:
        yield

    for function in (coroutine, generator):
        with pytest.raises(TypeError, match="with hold_connection"):
            hold_connection("default")(function)
        with pytest.raises(TypeError, match="with hold_connection"):
            hold_connection(function)


@pytest.mark.parametrize("release", ["request", "transaction"])
def test_health_is_asked_for_once_for_each_checkout_and_outside_of_transactions(
    database: Any, release: str
) -> None:
    one = database({"CONN_HEALTH_CHECKS": True}, MAX_CONNS=1, RELEASE=release)
    checks: list[bool] = []
    for is_atomic in (True, True, False):
        wrapper = one.connection
        ask = type(wrapper).is_usable
        wrapper.is_usable = lambda wrapper=wrapper, ask=ask: (
            checks.append(wrapper.autocommit),
            ask(wrapper),
        )[1]
        if is_atomic:
            with transaction.atomic(one.alias):
                one.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
                one.query("SELECT 1")
        else:
            one.query("SELECT 1")
        wrapper.close()
    assert checks == [True, True]  # the first one was new


def test_hold_connection_does_nothing_for_an_engine_without_a_pool() -> None:
    with hold_connection("observer"):
        pass
    with pytest.raises(ConnectionDoesNotExist), hold_connection("nowhere"):
        pass


# -- what others rely on


def test_one_that_is_shared_between_threads_is_held(one: Any) -> None:
    """Nobody knows what the others are about to do with it."""
    one.connection.inc_thread_sharing()
    one.query("SELECT 1")
    assert is_held(one)
    one.connection.dec_thread_sharing()
    one.query("SELECT 1")
    assert not is_held(one)


def test_queries_are_logged_as_ever(one: Any) -> None:
    with CaptureQueriesContext(one.connection) as captured:
        one.query("SELECT %s + 1", 41)
        assert not is_held(one)
        list(items(one).filter(name="it's"))
        assert not is_held(one)
    assert captured[0]["sql"] == "SELECT 41 + 1"
    assert "'it''s'" in captured[1]["sql"]


@pytest.mark.skipif(
    not is_psycopg3,
    reason="psycopg2 differs: https://www.psycopg.org/psycopg3/docs/basic/copy.html",
)
def test_copy_is_logged_too(one: Any) -> None:
    with CaptureQueriesContext(one.connection) as captured, one.connection.cursor() as cursor:
        copying = cursor.copy("COPY (SELECT 42) TO STDOUT")
        with copying as copy:
            list(copy)
    assert captured[0]["sql"] == "COPY (SELECT 42) TO STDOUT"


def test_execute_wrappers_see_each_statement(one: Any) -> None:
    seen = []

    def wrapper(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
        seen.append(sql)
        return execute(sql, params, many, context)

    with one.connection.execute_wrapper(wrapper):
        one.query("SELECT 1")
        one.query("SELECT 2")
    assert seen == ["SELECT 1", "SELECT 2"]
    assert not is_held(one)


def test_many_requests_on_few_connections_get_their_own_answers(database: Any) -> None:
    four = database(MAX_CONNS=4, RELEASE="transaction")

    def request(number: int) -> None:
        for turn in range(5):
            assert four.query("SELECT %s::int", number * 10 + turn) == number * 10 + turn
            with transaction.atomic(four.alias):
                assert four.query("SELECT %s::int", -number) == -number

    tasks = [spawn(request, number) for number in range(40)]
    for task in tasks:
        task.result()
    assert four.pool.stats().in_use == 0
    assert len(four.sessions()) == 4
    assert connections[four.alias].connection is None
