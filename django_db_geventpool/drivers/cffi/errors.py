"""``psycopg2.errors``: an exception class for each SQLSTATE, which psycopg2cffi then raises.

https://www.psycopg.org/docs/errors.html and
https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from __future__ import annotations

from typing import Any

from psycopg2cffi import errorcodes
from psycopg2cffi._impl import exceptions, util
from psycopg2cffi._impl.libpq import ffi
from psycopg2cffi._impl.libpq import libpq as _lib

#: What errorcodes does not know, or gives to the last of several codes of the same name.
_NAMES = {
    "22004": "NullValueNotAllowed",
    "22013": "InvalidPrecedingOrFollowingSize",
    "2200H": "SequenceGeneratorLimitExceeded",
    "2202G": "InvalidTablesampleRepeat",
    "2202H": "InvalidTablesampleArgument",
    "22030": "DuplicateJsonObjectKeyValue",
    "22031": "InvalidArgumentForSqlJsonDatetimeFunction",
    "22032": "InvalidJsonText",
    "22033": "InvalidSqlJsonSubscript",
    "22034": "MoreThanOneSqlJsonItem",
    "22035": "NoSqlJsonItem",
    "22036": "NonNumericSqlJsonItem",
    "22037": "NonUniqueKeysInAJsonObject",
    "22038": "SingletonSqlJsonItemRequired",
    "22039": "SqlJsonArrayNotFound",
    "2203A": "SqlJsonMemberNotFound",
    "2203B": "SqlJsonNumberNotFound",
    "2203C": "SqlJsonObjectNotFound",
    "2203D": "TooManyJsonArrayElements",
    "2203E": "TooManyJsonObjectMembers",
    "2203F": "SqlJsonScalarRequired",
    "2203G": "SqlJsonItemCannotBeCastToTargetType",
    "25P03": "IdleInTransactionSessionTimeout",
    "25P04": "TransactionTimeout",
    "2F002": "ModifyingSqlDataNotPermitted",
    "2F003": "ProhibitedSqlStatementAttempted",
    "2F004": "ReadingSqlDataNotPermitted",
    "38002": "ModifyingSqlDataNotPermittedExt",
    "38003": "ProhibitedSqlStatementAttemptedExt",
    "38004": "ReadingSqlDataNotPermittedExt",
    "39004": "NullValueNotAllowedExt",
    "39P03": "EventTriggerProtocolViolated",
    "428C9": "GeneratedAlways",
    "55P04": "UnsafeNewEnumValueUsage",
    "57P05": "IdleSessionTimeout",
    "58P03": "FileNameTooLong",
    "72000": "SnapshotTooOld",
    "P0004": "AssertFailure",
    "XX000": "InternalError_",  # InternalError is DB-API's
}

_base = util.get_exception_for_sqlstate
_classes: dict[str, type[Exception]] = {}


def lookup(code: str) -> type[Exception]:
    """The class for a SQLSTATE.

    :raises KeyError: if there is none.
    """
    return _classes[code]


def _make_classes() -> None:
    names = {
        code: name.title().replace("_", "")
        for name, code in vars(errorcodes).items()
        # Of a whole class of codes, and of success and warnings, which nobody raises.
        if isinstance(code, str) and len(code) == 5 and name.isupper() and code[:2] not in "0001"
    }
    for code, name in {**names, **_NAMES}.items():
        made = type(name, (_base(code),), {"__module__": "psycopg2.errors"})
        globals()[name] = _classes[code] = made


def _class_of(code: str | bytes) -> type[Exception]:
    code = code.decode() if isinstance(code, bytes) else code
    made: type[Exception] = _classes.get(code) or _base(code)
    return made


def _field(diagnostics: Any, field: int) -> str | None:
    """By itself it takes ASCII only."""
    pgres = getattr(diagnostics._exc, "_pgres", None)
    value = _lib.PQresultErrorField(pgres, field) if pgres else ffi.NULL
    if value == ffi.NULL:
        return None
    encoding = getattr(getattr(diagnostics._exc.cursor, "connection", None), "_py_enc", None)
    text: str = ffi.string(value).decode(encoding or "utf-8", "replace")
    return text


def _end_copy(connection: Any) -> None:
    """To the end of the results, and the error with its class; by itself it stops there."""
    error = None
    while pgres := _lib.PQgetResult(connection._pgconn):
        if _lib.PQresultStatus(pgres) == _lib.PGRES_FATAL_ERROR and error is None:
            error = connection._create_exception(pgres=pgres)  # which owns it from now on
        else:
            _lib.PQclear(pgres)
    if error is not None:
        raise error


_make_classes()
util.get_exception_for_sqlstate = _class_of
util.pq_clear_async = _end_copy
exceptions.Diagnostics._get_field = _field
exceptions.Diagnostics.severity_nonlocalized = property(lambda self: self._get_field(ord("V")))
