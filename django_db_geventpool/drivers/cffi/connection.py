"""Connections as psycopg2's: ``info``, and what a transaction begins with."""

from __future__ import annotations

from functools import partial
from typing import Any

from psycopg2cffi import extensions
from psycopg2cffi._impl import _libpq
from psycopg2cffi._impl.libpq import ffi
from psycopg2cffi._impl.libpq import libpq as _lib

from ..libpq import Libpq

LIBPQ = Libpq(_libpq.__file__)

_class = extensions.connection
_status, _is_busy = _class.get_transaction_status, _class._is_busy
_create_exception, _reset = _class._create_exception, _class.reset


class ConnectionInfo:
    """https://www.psycopg.org/docs/extensions.html#psycopg2.extensions.ConnectionInfo"""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def _text(self, function: str) -> str | None:
        pointer = self._connection.pgconn_ptr
        return None if pointer is None else LIBPQ.text(function, pointer)

    def _number(self, function: str, where_closed: int = 0) -> int:
        pointer = self._connection.pgconn_ptr
        return where_closed if pointer is None else int(LIBPQ.function(function)(pointer))

    dbname = property(partial(_text, function="PQdb"))
    user = property(partial(_text, function="PQuser"))
    password = property(partial(_text, function="PQpass"))
    host = property(partial(_text, function="PQhost"))
    options = property(partial(_text, function="PQoptions"))
    error_message = property(lambda self: self._text("PQerrorMessage") or None)
    port = property(lambda self: int(self._text("PQport") or 0) or None)
    status = property(partial(_number, function="PQstatus", where_closed=_lib.CONNECTION_BAD))
    backend_pid = property(partial(_number, function="PQbackendPID"))
    server_version = property(partial(_number, function="PQserverVersion"))
    protocol_version = property(partial(_number, function="PQprotocolVersion"))
    socket = property(partial(_number, function="PQsocket", where_closed=-1))
    needs_password = property(lambda self: bool(self._number("PQconnectionNeedsPassword")))
    used_password = property(lambda self: bool(self._number("PQconnectionUsedPassword")))
    ssl_in_use = property(lambda self: bool(self._number("PQsslInUse")))
    transaction_status = property(lambda self: self._connection.get_transaction_status())

    @property
    def dsn_parameters(self) -> dict[str, str]:
        pointer = self._connection.pgconn_ptr
        return {} if pointer is None else LIBPQ.parameters(pointer)

    def parameter_status(self, name: str) -> str | None:
        if self._connection.closed:
            return None
        value: str | None = self._connection.get_parameter_status(name)
        return value


def _pgconn_ptr(connection: Any) -> int | None:
    pgconn = connection._pgconn
    return int(ffi.cast("intptr_t", pgconn)) if pgconn else None


def _transaction_status(connection: Any) -> Any:
    if not connection._pgconn:
        return extensions.TRANSACTION_STATUS_UNKNOWN
    return _status(connection)


def _is_busy_or_tells_why(connection: Any) -> Any:
    """By itself its message is the repr of bytes, and the connection does not count as closed."""
    try:
        return _is_busy(connection)
    except extensions.connection.OperationalError:
        raise connection._create_exception() from None


def _exception(connection: Any, *args: Any, **kwargs: Any) -> Exception:
    """Without a SQLSTATE it is a DatabaseError; psycopg2 has another where the server is gone."""
    error: Exception = _create_exception(connection, *args, **kwargs)
    if type(error) is connection.DatabaseError and connection.closed:
        error.__class__ = connection.OperationalError
    return error


def _setup(connection: Any) -> None:
    """By itself it gets stuck in a status of its own where it has to set the DateStyle."""
    connection._equote = connection._get_equote()
    connection._get_encoding()
    connection._have_cancel_key()
    if not connection._iso_compatible_datestyle():
        connection._set_guc("datestyle", "ISO")
    connection._closed = 0


# -- what a transaction begins with: connection.isolation_level, readonly, deferrable
#
# psycopg2cffi sets the session's defaults for each of them, and asks the server for the first.
# Since 2.7 psycopg2 says them in BEGIN; where autocommit sends no BEGIN, it tells the session.

_LEVELS = {1: "READ COMMITTED", 2: "REPEATABLE READ", 3: "SERIALIZABLE", 4: "READ UNCOMMITTED"}
_NUMBERS = {name: number for number, name in _LEVELS.items()}

_Value = Any  # None is the server's default


def _level(value: _Value) -> int | None:
    if value is None:
        return None
    if isinstance(value, int):
        if value not in _LEVELS:
            raise ValueError("isolation_level must be between 1 and 4")
        return int(value)
    name = str(value).upper()
    if name != "DEFAULT" and name not in _NUMBERS:
        raise ValueError(f"bad value for isolation_level: {value!r}")
    return _NUMBERS.get(name)


def _flag(value: _Value) -> bool | None:
    if isinstance(value, str) and value.lower() == "default":
        return None
    return None if value is None else bool(value)


_PARSERS = {"isolation_level": _level, "readonly": _flag, "deferrable": _flag}
_SETTINGS = {
    "isolation_level": "default_transaction_isolation",
    "readonly": "default_transaction_read_only",
    "deferrable": "default_transaction_deferrable",
}


def _set_session(
    connection: Any,
    isolation_level: _Value = None,
    readonly: _Value = None,
    deferrable: _Value = None,
    autocommit: bool | None = None,
) -> None:
    given = {"isolation_level": isolation_level, "readonly": readonly, "deferrable": deferrable}
    wanted = {name: value for name, value in given.items() if value is not None}
    _configure(connection, wanted, autocommit)


def _set_isolation_level(connection: Any, level: _Value) -> None:
    """By itself it does nothing, and leaves autocommit on, where the level is the same."""
    if isinstance(level, int) and not 0 <= level <= 4:
        raise ValueError("isolation level must be between 0 and 4")
    connection.rollback()
    if level == extensions.ISOLATION_LEVEL_AUTOCOMMIT:
        _configure(connection, {}, autocommit=True)
    else:
        _configure(connection, {"isolation_level": level}, autocommit=False)


def _reset_all(connection: Any) -> None:
    """To what it was when it was new. RESET ALL leaves the role's own DateStyle, to set again."""
    _reset(connection)
    for name in _SETTINGS:
        setattr(connection, "_" + name, None)
    connection.__dict__.pop("_told", None)
    _setup(connection)


def _configure(connection: Any, given: dict[str, _Value], autocommit: bool | None = None) -> None:
    wanted = {name: _PARSERS[name](value) for name, value in given.items()}
    if connection.closed:
        raise connection.InterfaceError("connection already closed")
    if connection.status != extensions.STATUS_READY:
        raise connection.ProgrammingError("set_session cannot be used inside a transaction")
    if autocommit is None:
        autocommit = connection._autocommit
    told: set[str] = connection.__dict__.setdefault("_told", set())
    if autocommit:
        for name, value in wanted.items():
            if value != getattr(connection, "_" + name) and (value is not None or name in told):
                _tell(connection, name, value)
    else:
        for name in list(told):
            _tell(connection, name, None)
    for name, value in wanted.items():
        setattr(connection, "_" + name, value)
    connection._autocommit = bool(autocommit)


def _tell(connection: Any, name: str, value: _Value) -> None:
    """The session, which keeps it for the statements that no BEGIN precedes."""
    if value is None:
        connection._set_guc(_SETTINGS[name], "default")
        connection._told.discard(name)
    else:
        text = _LEVELS[value] if name == "isolation_level" else "on" if value else "off"
        connection._set_guc(_SETTINGS[name], text)
        connection._told.add(name)


def _begin(connection: Any) -> None:
    if connection.status != extensions.STATUS_READY or connection._autocommit:
        return
    begin = ["BEGIN"]
    if connection._isolation_level is not None:
        begin.append("ISOLATION LEVEL " + _LEVELS[connection._isolation_level])
    if connection._readonly is not None:
        begin.append("READ ONLY" if connection._readonly else "READ WRITE")
    if connection._deferrable is not None:
        begin.append("DEFERRABLE" if connection._deferrable else "NOT DEFERRABLE")
    connection._execute_command(" ".join(begin))
    connection.status = extensions.STATUS_BEGIN


def _characteristic(name: str) -> property:
    setattr(_class, "_" + name, None)
    return property(
        lambda connection: getattr(connection, "_" + name),
        lambda connection, value: _configure(connection, {name: value}),
    )


_class.info = property(ConnectionInfo)
_class.pgconn_ptr = property(_pgconn_ptr)
_class.get_transaction_status = _transaction_status
_class.get_dsn_parameters = lambda connection: connection.info.dsn_parameters
_class._create_exception = _exception
_class._setup = _setup
_class._is_busy = _is_busy_or_tells_why
_class._begin_transaction = _begin
_class.set_session = _set_session
_class.set_isolation_level = _set_isolation_level
_class.reset = _reset_all
for _name in _SETTINGS:
    setattr(_class, _name, _characteristic(_name))
extensions.ConnectionInfo = ConnectionInfo
extensions.ISOLATION_LEVEL_DEFAULT = None
extensions.libpq_version = lambda: LIBPQ.function("PQlibVersion")(None)
