"""psycopg2cffi in the place of psycopg2: each gap that drivers/cffi closes.

Run with psycopg2 as well, where it tells whether what is expected here is what psycopg2 does.
"""

from __future__ import annotations

import array
import copy
import datetime
import enum
import gc
import io
import pickle
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, models, transaction

from .models import Item
from .plugin_django import DRIVER
from .plugin_hub import HUB
from .plugin_proxy import Proxy
from .scripts import run
from .tasks import pause, spawn, until

pytestmark = pytest.mark.skipif(
    DRIVER == "psycopg",
    reason="psycopg 3 differs: https://www.psycopg.org/psycopg3/docs/basic/from_pg2.html",
)
cffi_only = pytest.mark.skipif(
    DRIVER != "psycopg2cffi",
    reason="about psycopg2cffi alone: https://github.com/chtd/psycopg2cffi/issues/133",
)

UNIQUE = "CREATE TEMP TABLE one_each (number int UNIQUE NOT NULL CHECK (number < 9))"


@pytest.fixture
def cursor(database: Any) -> Iterator[Any]:
    """The driver's own cursor, in autocommit mode."""
    one = database(MAX_CONNS=1)
    one.connection.ensure_connection()
    with one.connection.connection.cursor() as cursor:
        yield cursor


# -- import psycopg2


@cffi_only
def test_psycopg2_and_its_submodules_are_psycopg2cffi() -> None:
    output = run(
        """
        settings()
        from django.db import connection
        connection.ensure_connection()
        import psycopg2, psycopg2.extensions, psycopg2.extras, psycopg2.errorcodes, psycopg2.tz
        import psycopg2cffi, psycopg2cffi.extensions, psycopg2cffi.extras
        assert psycopg2 is psycopg2cffi
        assert psycopg2.extensions is psycopg2cffi.extensions
        assert psycopg2.extras is psycopg2cffi.extras
        from psycopg2.errors import UniqueViolation
        from psycopg2.sql import SQL
        print("well")
        """
    )
    assert "well" in output


@cffi_only
def test_a_site_that_has_registered_it_by_itself_gets_it_completed() -> None:
    output = run(
        """
        from psycopg2cffi import compat
        compat.register()
        import psycopg2.extensions  # a second copy of it
        settings()
        from django.db import connection
        connection.ensure_connection()
        import psycopg2cffi.extensions
        from psycopg2cffi import extensions
        assert sys.modules["psycopg2.extensions"] is extensions
        print(connection.connection.info.dbname)
        """
    )
    assert connection.settings_dict["NAME"] not in ("", None)
    assert output.strip().splitlines()[-1] in ("postgres", connection.settings_dict["NAME"])


def test_contrib_postgres_is_imported_after_the_app() -> None:
    """Before any model, and so before the engine."""
    program = """
        from django.conf import settings
        settings.configure(INSTALLED_APPS=["django_db_geventpool", "django.contrib.postgres"])
        import django
        django.setup()
        print("well")
        """
    assert "well" in run(program)


@pytest.mark.parametrize("name", ["psycopg", "psycopg2"])
def test_a_driver_that_django_prefers_is_left_alone(tmp_path: Any, name: str) -> None:
    (tmp_path / f"{name}.py").write_text("__version__ = '9.9.9'")  # a stand-in
    output = run(
        """
        from django_db_geventpool.drivers import cffi
        cffi.install()
        module = sys.modules.get("psycopg2")
        print("psycopg2 is", module and module.__version__)
        """,
        tmp_path,
    )
    assert f"psycopg2 is {'9.9.9' if name == 'psycopg2' else None}" in output


# -- errors


@pytest.mark.session("temporary tables")
@pytest.mark.parametrize(
    ("statement", "name", "constraint"),
    [
        ("INSERT INTO one_each VALUES (1), (1)", "UniqueViolation", "one_each_number_key"),
        ("INSERT INTO one_each VALUES (NULL)", "NotNullViolation", None),
        ("INSERT INTO one_each VALUES (10)", "CheckViolation", "one_each_number_check"),
    ],
)
def test_a_violation_is_raised_as_its_class(
    database: Any, statement: str, name: str, constraint: str | None
) -> None:
    from psycopg2 import errors

    one = database(MAX_CONNS=1)
    one.execute(UNIQUE)
    with pytest.raises(IntegrityError) as caught:
        one.execute(statement)
    cause: Any = caught.value.__cause__
    assert type(cause) is getattr(errors, name)
    assert errors.lookup(cause.pgcode) is type(cause)
    assert (cause.diag.sqlstate, cause.diag.table_name) == (cause.pgcode, "one_each")
    assert cause.diag.constraint_name == constraint
    assert (cause.diag.severity_nonlocalized, cause.cursor.closed) == ("ERROR", True)


@pytest.mark.session("temporary tables")
def test_a_foreign_key_is_told_by_its_class(database: Any) -> None:
    from psycopg2.errors import ForeignKeyViolation

    one = database(MAX_CONNS=1)
    one.execute(UNIQUE)
    one.execute("CREATE TEMP TABLE other (number int REFERENCES one_each (number))")
    with pytest.raises(IntegrityError) as caught:
        one.execute("INSERT INTO other VALUES (5)")
    assert isinstance(caught.value.__cause__, ForeignKeyViolation)


def test_each_class_has_the_base_that_psycopg2_gives_it() -> None:
    import psycopg2
    from psycopg2 import errors, extensions

    for name, base in {
        "DuplicateDatabase": psycopg2.ProgrammingError,
        "LockNotAvailable": psycopg2.OperationalError,
        "AdminShutdown": psycopg2.OperationalError,
        "QueryCanceled": extensions.QueryCanceledError,
        "SerializationFailure": extensions.TransactionRollbackError,
        "DeadlockDetected": extensions.TransactionRollbackError,
        "DivisionByZero": psycopg2.DataError,
        "InFailedSqlTransaction": psycopg2.InternalError,
        "NullValueNotAllowed": psycopg2.DataError,
        "InternalError_": psycopg2.InternalError,
    }.items():
        assert getattr(errors, name).__bases__ == (base,), name
    with pytest.raises(KeyError):
        errors.lookup("01000")


def test_an_error_is_pickled_and_its_message_may_be_in_any_language(cursor: Any) -> None:
    from psycopg2.errors import RaiseException

    with pytest.raises(RaiseException, match="Größe") as caught:
        cursor.execute("DO $$ BEGIN RAISE 'Größe'; END $$")
    assert caught.value.diag.message_primary == "Größe"
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), again.pgcode) == (RaiseException, "P0001")


def test_copy_tells_what_is_wrong_and_the_connection_goes_on(database: Any) -> None:
    from psycopg2.errors import InvalidTextRepresentation

    one = database(MAX_CONNS=1)
    one.execute('CREATE TEMP TABLE "Größe" (number int)')
    with one.connection.cursor() as cursor, pytest.raises(InvalidTextRepresentation):
        cursor.copy_expert('COPY "Größe" FROM STDIN', io.StringIO("1\nx\n"))
    assert one.query('SELECT count(*) FROM "Größe"') == 0


# -- sql


def test_statements_are_composed(cursor: Any) -> None:
    from psycopg2 import sql

    query = sql.SQL("SELECT {value} AS {name} WHERE {} = {}").format(
        sql.Placeholder(), sql.Literal("it's"), value=sql.Literal(1), name=sql.Identifier('a"b')
    )
    assert query.as_string(cursor) == "SELECT 1 AS \"a\"\"b\" WHERE %s = 'it''s'"
    cursor.execute(query, ["it's"])
    assert (cursor.fetchall(), cursor.description[0].name) == ([(1,)], 'a"b')
    assert cursor.mogrify(sql.SQL("a %s"), [1]) == b"a 1"
    assert cursor.mogrify("100%") == b"100%"


@cffi_only
def test_the_parts_of_a_statement() -> None:
    from psycopg2 import sql

    a, b = sql.Identifier("a"), sql.Identifier("s", "b")
    assert sql.SQL(", ").join([a, b]).as_string(None) == '"a", "s"."b"'
    assert (a + sql.SQL(" ") + b).as_string(None) == '"a" "s"."b"'
    assert sql.SQL(",").join(sql.Placeholder() * 3).as_string(None) == "%s,%s,%s"
    assert sql.Composed([a, b]).join("-").as_string(None) == '"a"-"s"."b"'
    assert sql.Placeholder("x").as_string(None) == "%(x)s"
    assert sql.SQL("{1}{0}{{}}").format(a, b).as_string(None) == '"s"."b""a"{}'
    assert (a == sql.Identifier("a"), a == b, repr(b)) == (True, False, "Identifier('s', 'b')")
    for mistake, error in {
        "{}{0}": ValueError,
        "{!r}": ValueError,
        "{}{}": IndexError,
        "{x}": KeyError,
    }.items():
        with pytest.raises(error):
            sql.SQL(mistake).format(a)
    with pytest.raises(TypeError):
        sql.Composed(["text"])
    with pytest.raises(ValueError, match="NUL"):
        sql.Identifier("a\0b").as_string(None)


def test_a_default_of_a_migration_is_quoted(database: Any) -> None:
    one = database(MAX_CONNS=1)
    field = models.CharField(max_length=20, default="it's Größe")
    field.set_attributes_from_name("extra")
    field.model = Item
    with one.connection.schema_editor() as editor:
        editor.add_field(Item, field)
        editor.remove_field(Item, field)
        assert editor.quote_value("it's Größe") == "'it''s Größe'"


# -- connections


@cffi_only
def test_the_connection_tells_of_itself(database: Any) -> None:
    one = database(MAX_CONNS=1)
    one.connection.ensure_connection()
    raw, settings = one.connection.connection, one.connection.settings_dict
    info = raw.info
    assert (info.dbname, info.user) == (settings["NAME"], settings["USER"])
    assert (info.host, info.port) == (settings["HOST"], int(settings["PORT"]))
    assert info.backend_pid == one.query("SELECT pg_backend_pid()")
    assert info.server_version == int(one.query("SHOW server_version_num"))
    assert info.parameter_status("TimeZone") == "UTC"
    assert (info.status, info.transaction_status, info.socket) == (0, 0, raw.fileno())
    assert info.dsn_parameters["connect_timeout"] == "10"
    assert info.dsn_parameters == raw.get_dsn_parameters()
    assert "password" not in info.dsn_parameters
    other = one.connection.Database.connect(**one.connection.get_connection_params())
    other.close()
    assert (other.info.dbname, other.info.status, other.info.dsn_parameters) == (None, 1, {})
    assert other.get_transaction_status() == other.info.transaction_status == 4


def test_what_a_transaction_begins_with(cursor: Any) -> None:
    raw = cursor.connection

    def shown(what: str) -> str:
        cursor.execute(f"SHOW {what}")
        value: str = cursor.fetchone()[0]
        return value

    raw.set_session(isolation_level="repeatable read", readonly=True, autocommit=False)
    assert (raw.isolation_level, raw.readonly, raw.deferrable) == (2, True, None)
    assert (shown("transaction_isolation"), shown("transaction_read_only")) == (
        "repeatable read",
        "on",
    )
    assert shown("default_transaction_isolation") == "read committed"
    with pytest.raises(raw.ProgrammingError):
        raw.isolation_level = 3
    raw.rollback()
    raw.isolation_level, raw.readonly, raw.deferrable = 3, None, True
    assert (shown("transaction_isolation"), shown("transaction_deferrable")) == (
        "serializable",
        "on",
    )
    raw.rollback()
    # In autocommit mode there is no BEGIN: the session is told, and told again afterwards.
    raw.autocommit = True
    assert shown("transaction_isolation") == "read committed"
    raw.isolation_level = 2
    assert shown("transaction_isolation") == "repeatable read"
    raw.autocommit = False
    raw.isolation_level = raw.deferrable = None
    assert shown("transaction_isolation") == "read committed"
    raw.rollback()
    for wrong in (0, 9, "none"):
        with pytest.raises(ValueError, match="isolation_level"):
            raw.isolation_level = wrong


def test_set_isolation_level_leaves_autocommit_whatever_the_level_was(cursor: Any) -> None:
    from psycopg2 import extensions

    raw = cursor.connection
    cursor.execute("CREATE TEMP TABLE numbers (number int)")
    raw.isolation_level = 2
    raw.set_isolation_level(2)
    cursor.execute("INSERT INTO numbers VALUES (1)")
    raw.set_isolation_level(0)  # rolls back, too
    assert (raw.autocommit, raw.isolation_level) == (True, 2)
    cursor.execute("SELECT count(*) FROM numbers")
    assert cursor.fetchone() == (0,)
    raw.set_isolation_level(extensions.ISOLATION_LEVEL_DEFAULT)
    assert (raw.autocommit, raw.isolation_level) == (False, None)
    assert extensions.ISOLATION_LEVEL_DEFAULT is None
    for wrong in (-1, 5):
        with pytest.raises(ValueError, match="isolation"):
            raw.set_isolation_level(wrong)


@pytest.mark.session("the startup parameter 'options' is refused")
def test_reset_makes_a_connection_what_it_was_when_it_was_new(database: Any) -> None:
    one = database(MAX_CONNS=1, options="-c datestyle=German")
    one.connection.ensure_connection()
    raw = one.connection.connection
    raw.set_session(isolation_level=3, readonly=True, deferrable=True, autocommit=True)
    raw.reset()
    assert (raw.isolation_level, raw.readonly, raw.deferrable) == (None, None, None)
    assert not raw.autocommit
    with raw.cursor() as cursor:
        cursor.execute("SELECT current_setting('transaction_isolation'), '2026-11-22'::date")
        assert cursor.fetchone() == ("read committed", datetime.date(2026, 11, 22))
    raw.rollback()


@pytest.mark.session("another of its connections to the server answers")
def test_a_lost_connection_is_an_operational_error_in_words(database: Any, observer: Any) -> None:
    one = database(MAX_CONNS=1)
    pid = one.query("SELECT pg_backend_pid()")
    raw = one.connection.connection
    observer("SELECT pg_terminate_backend(%s)", pid)
    until(lambda: pid not in one.server_pids())
    with raw.cursor() as cursor, pytest.raises(raw.OperationalError) as caught:
        cursor.execute("SELECT 1")
    assert "b'" not in str(caught.value)
    assert raw.closed
    one.connection.close()


# -- cursors and values


def test_whether_a_cursor_is_closed_is_told_by_a_bool(cursor: Any) -> None:
    """Django's own tests ask for that."""
    assert cursor.closed is False
    cursor.close()
    assert cursor.closed is True


@cffi_only
def test_a_named_cursor_is_closed_whatever_has_happened(database: Any) -> None:
    one = database(MAX_CONNS=1)
    with transaction.atomic(using=one.alias):
        left = one.connection.connection.cursor("left")
        left.execute("SELECT generate_series(1, 9)")
        assert left.fetchmany(2) == [(1,), (2,)]
        with pytest.raises(DatabaseError), transaction.atomic(using=one.alias):
            one.execute("SELECT 1/0")
        left.close()
        assert one.query("SELECT count(*) FROM pg_cursors") == 0
        broken = one.connection.connection.cursor("broken")
        with pytest.raises(one.connection.Database.Error):
            broken.execute("SELECT nothing")
        broken.close()
        one.connection.set_rollback(True)
    items = Item.objects.using(one.alias).extra(where=["nothing"])
    with pytest.raises(DatabaseError, match="nothing"):
        next(items.iterator())  # and not: that the cursor does not exist


class Number(enum.IntEnum):
    TWO = 2


TWO_INTS = array.array("i", [1, 2])
UTC = datetime.timezone.utc
AN_ODD_ZONE = datetime.timezone(-datetime.timedelta(hours=1, minutes=2, seconds=3))


@pytest.mark.parametrize(
    "value",
    [
        Number.TWO,
        -7,
        datetime.timedelta(days=-3, microseconds=7),
        [None, "null", ""],
        "Größe \\ ' % ☃",
        b"\0\xff'\\",
        memoryview(TWO_INTS),
        datetime.time(12, 30, tzinfo=UTC),
        datetime.time(12, 30, 0, 50, tzinfo=AN_ODD_ZONE),
        datetime.time(12, 30),
    ],
)
def test_a_value_arrives_unchanged(cursor: Any, value: Any) -> None:
    cursor.tzinfo_factory = datetime.timezone  # Django's own gives the connection's zone
    cursor.execute("SET TIME ZONE 'America/New_York'")
    cursor.execute("SELECT %s", [value])
    answer = cursor.fetchone()[0]
    if isinstance(value, (bytes, memoryview)):
        answer, value = bytes(answer), bytes(value)
    assert answer == value
    assert getattr(answer, "tzinfo", None) == getattr(value, "tzinfo", None)


def test_what_has_a_buffer_is_sent_whole(cursor: Any) -> None:
    from psycopg2 import Binary

    cursor.execute("SELECT %s, %s", [Binary(TWO_INTS), [memoryview(TWO_INTS)]])
    one, (other,) = cursor.fetchone()
    assert bytes(one) == bytes(other) == TWO_INTS.tobytes()


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("'24:00'::time", datetime.time(0)),
        (
            "'24:00+01'::timetz",
            datetime.time(0, tzinfo=datetime.timezone(datetime.timedelta(0, 3600))),
        ),
        ("'12:00:00.5-01:02:03'::timetz", datetime.time(12, 0, 0, 500000, AN_ODD_ZONE)),
        ("ARRAY['24:00'::time]", [datetime.time(0)]),
        ("'infinity'::timestamptz", datetime.datetime.max.replace(tzinfo=UTC)),
        ("'-infinity'::timestamptz", datetime.datetime.min.replace(tzinfo=UTC)),
        ("'infinity'::timestamp", datetime.datetime.max),
        ("NULL::timestamptz", None),
        ("ARRAY['(1,2)'::point]", '{"(1,2)"}'),
        ("'{}'::point[]", "{}"),
        ("ARRAY['10.0.0.1'::inet]", ["10.0.0.1"]),
        ("ARRAY['10.0.0.0/8'::cidr]", ["10.0.0.0/8"]),
        ("ARRAY['08:00:2b:01:02:03'::macaddr]", ["08:00:2b:01:02:03"]),
    ],
)
def test_a_value_is_read_as_psycopg2_reads_it(cursor: Any, expression: str, value: Any) -> None:
    cursor.tzinfo_factory = datetime.timezone
    cursor.execute(f"SELECT {expression}")
    answer = cursor.fetchone()[0]
    assert answer == value
    assert getattr(answer, "tzinfo", None) == getattr(value, "tzinfo", None)


def test_the_offset_of_a_zone_is_told_to_the_second(database: Any) -> None:
    from psycopg2.tz import FixedOffsetTimezone

    one = database(MAX_CONNS=1)
    params = one.connection.get_connection_params()
    raw = one.connection.Database.connect(**params)
    try:
        with raw.cursor() as cursor:
            assert cursor.tzinfo_factory is datetime.timezone
            cursor.execute("SET TIME ZONE 'America/New_York'")
            for factory in (datetime.timezone, FixedOffsetTimezone):
                cursor.tzinfo_factory = factory
                cursor.execute("SELECT '1880-01-01 00:00:00+00'::timestamptz")
                (moment,) = cursor.fetchone()
                assert moment.utcoffset() == -datetime.timedelta(hours=4, minutes=56, seconds=2)
                assert moment == datetime.datetime(1880, 1, 1, tzinfo=UTC)
            cursor.tzinfo_factory = None
            cursor.execute("SELECT 'infinity'::timestamptz, '2026-11-22 12:00+00'::timestamptz")
            assert cursor.fetchone() == (
                datetime.datetime.max,
                datetime.datetime(2026, 11, 22, 7),
            )
    finally:
        raw.close()


@cffi_only
def test_an_infinite_moment_in_an_array_has_its_zone(cursor: Any) -> None:
    """psycopg2 cannot read it."""
    cursor.tzinfo_factory = datetime.timezone
    cursor.execute("SELECT ARRAY['infinity'::timestamptz]")
    assert cursor.fetchone()[0][0].tzinfo is UTC


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ([], b"'{}'"),
        ([None], b"'{NULL}'"),
        ([[None], [None, None]], b"'{{NULL},{NULL,NULL}}'"),
        ([[]], b"ARRAY[ARRAY[]]"),
        ([[1], [None]], b"ARRAY[ARRAY[1],'{NULL}']"),
        ([True, None], b"ARRAY[true,NULL]"),
    ],
)
def test_a_list_is_sent_as_psycopg2_sends_it(cursor: Any, value: Any, sent: bytes) -> None:
    assert cursor.mogrify("%s", [value]) == sent


def test_a_text_with_a_nul_is_refused_and_not_cut_short(cursor: Any) -> None:
    with pytest.raises(ValueError, match="NUL"):
        cursor.execute("SELECT %s", ["ab\0cd"])


def test_arrays_are_read_in_all_their_forms(cursor: Any) -> None:
    cursor.execute(
        """SELECT '[0:1]={1,2}'::int[], '{{a,"b c"},{"N\\"U",NULL}}'::text[], '{}'::int[]"""
    )
    assert cursor.fetchone() == ([1, 2], [["a", "b c"], ['N"U', None]], [])


def test_json_is_sent_in_the_connections_encoding(cursor: Any) -> None:
    import json

    from psycopg2.extras import Json

    text = Json({"Größe": "☃ \\ '"}, dumps=lambda value: json.dumps(value, ensure_ascii=False))
    cursor.execute("SELECT %s::jsonb", [text])
    assert cursor.fetchone()[0] in ({"Größe": "☃ \\ '"}, '{"Größe": "☃ \\\\ \'"}')


def test_ranges_are_compared_copied_and_pickled_as_psycopg2s() -> None:
    from psycopg2.extras import NumericRange

    one = NumericRange(1, None)
    assert (one == NumericRange(1, None), one == NumericRange(2, None)) == (True, False)
    assert one not in [None, "", [], (), {}]
    assert copy.deepcopy(one) == pickle.loads(pickle.dumps(one)) == one
    assert (str(one), str(NumericRange(empty=True))) == ("[1, None)", "empty")
    assert b"psycopg2cffi" not in pickle.dumps(one)


# -- on a hub


greenlets_only = pytest.mark.skipif(
    HUB == "threads",
    reason="without a hub nothing waits on it: https://www.gevent.org/intro.html",
)


def others_run_while(waits: Any, pauses: int = 5) -> Any:
    """Let *waits* run beside this greenlet, which goes on meanwhile."""
    task = spawn(waits)
    for _ in range(pauses):
        pause(0.01)
        assert task.running
    return task


@greenlets_only
def test_the_others_run_while_one_connects(database: Any, proxy: Proxy) -> None:
    one = database(proxy.settings, MAX_CONNS=1)
    proxy.deaf()
    task = others_run_while(lambda: one.query("SELECT 42"))
    assert one.pool.stats().opening == 1
    proxy.start()
    task.error()
    assert one.query("SELECT 42") == 42


@greenlets_only
def test_the_others_run_while_one_sends_more_than_the_server_takes(
    database: Any, proxy: Proxy
) -> None:
    one = database(proxy.settings, MAX_CONNS=1)
    one.query("SELECT 1")
    one.connection.close()
    proxy.deaf()
    task = others_run_while(lambda: one.query("SELECT length(%s)", "x" * 8_000_000))
    proxy.start()
    assert task.result() == 8_000_000


@greenlets_only
def test_a_connection_whose_wait_was_interrupted_is_not_lent_again(
    database: Any, observer: Any
) -> None:
    """It stays open, and active, where psycopg2 closes its own."""
    one, raws = database(MAX_CONNS=1), []

    def work() -> None:
        one.connection.ensure_connection()
        raws.append(one.connection.connection)
        one.query("SELECT pg_sleep(60)")

    gc.disable()
    try:
        task = spawn(work)
        sleeping = "SELECT 1 FROM pg_stat_activity WHERE application_name = %s AND wait_event = %s"
        until(lambda: observer(sleeping, one.alias, "PgSleep"))
        task.kill()
        assert one.query("SELECT 42") == 42
    finally:
        gc.enable()
    assert one.connection.connection is not raws[0]
    assert raws[0].closed


def test_a_failed_connect_leaves_no_socket_open(database: Any) -> None:
    if sys.platform != "linux":
        pytest.skip("/proc tells which are open: https://docs.kernel.org/filesystems/proc.html")
    import os

    one = database(MAX_CONNS=1, connect_timeout=2)
    one.query("SELECT 1")
    one.connection.close_pool()
    one.connection.settings_dict["PASSWORD"] = "wrong"
    before = len(os.listdir("/proc/self/fd"))
    gc.disable()
    try:
        for _ in range(5):
            with pytest.raises(DatabaseError):
                one.connection.ensure_connection()
    finally:
        gc.enable()
    assert len(os.listdir("/proc/self/fd")) <= before
