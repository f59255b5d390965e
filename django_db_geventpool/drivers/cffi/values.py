"""Values that psycopg2cffi would change, or refuse, on their way to the server and back."""

from __future__ import annotations

import datetime
import re
from typing import Any

from psycopg2cffi import _json, _range
from psycopg2cffi._impl import adapters, typecasts

# -- to the server

_string, _time = adapters.QuotedString.getquoted, adapters.DateTime.getquoted


def _encoding(adapter: Any) -> str:
    connection = adapter._conn
    encoding: str = connection._py_enc if connection else adapter._default_encoding
    return encoding


def _set_encoding(adapter: Any, encoding: str) -> None:
    adapter._default_encoding = encoding


def _quote_string(adapter: Any) -> bytes:
    """libpq ends it at a NUL, and the statement would go on with a part of the value."""
    text = adapter._wrapped
    if ("\0" if isinstance(text, str) else b"\0") in text:
        raise ValueError("A string literal cannot contain NUL (0x00) characters.")
    quoted: bytes = _string(adapter)
    return quoted


def _quote_time(adapter: Any) -> bytes:
    """Of an interval's microseconds it loses the zeros that they begin with."""
    value = adapter._wrapped
    if isinstance(value, datetime.timedelta):
        parts = (value.days, value.seconds, value.microseconds)
        return b"'%d days %d.%06d seconds'::interval" % parts
    quoted: bytes = _time(adapter)
    return quoted


def _quote_int(adapter: Any) -> bytes:
    """str() of an IntEnum's member is its name, before Python 3.11."""
    value = b"%d" % int(adapter._wrapped)
    return b" " + value if value.startswith(b"-") else value


def _prepare_json(json: Any, connection: Any) -> None:
    json._conn = connection


def _quote_json(json: Any) -> bytes:
    """In the connection's encoding; by itself it is in Latin 1."""
    text = adapters.QuotedString(json.dumps(json.adapted))
    text.encoding = "utf8"
    text.prepare(json._conn)
    quoted: bytes = text.getquoted()
    return quoted


adapters.QuotedString.encoding = property(_encoding, _set_encoding)
adapters.QuotedString.getquoted = _quote_string
adapters.DateTime.getquoted = _quote_time
adapters.Int.getquoted = _quote_int
_json.Json._conn = None
_json.Json.prepare = _prepare_json
_json.Json.getquoted = _quote_json

# -- ranges


def _equals(range_: Any, other: object) -> bool:
    if not isinstance(other, _range.Range):
        return False
    return _key(range_) == _key(other)


def _key(range_: Any) -> tuple[Any, ...]:
    return (range_._lower, range_._upper, range_._bounds)


def _text(range_: Any) -> str:
    if range_._bounds is None:
        return "empty"
    lower, upper = ("" if each is None else each for each in (range_._lower, range_._upper))
    return f"{range_._bounds[0]}{lower}, {upper}{range_._bounds[1]}"


_range.Range.__eq__ = _equals
_range.Range.__str__ = _text
for _name in ("Range", "NumericRange", "DateRange", "DateTimeRange", "DateTimeTZRange"):
    # What pickles and migrations of Django's say: they can be read with psycopg2 as well.
    getattr(_range, _name).__module__ = "psycopg2._range"

# -- arrays from the server

_TOKEN = re.compile(rb'[{},]|"((?:[^"\\]|\\.)*)"|[^{},"]+', re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)


def _parse_array(array: Any, value: Any, length: Any, cursor: Any) -> Any:
    """https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO

    By itself it takes a quoted "null" for NULL.
    """
    if value is None:
        return None
    if isinstance(value, str):
        value = value.encode(cursor.connection._py_enc)
    whole: list[Any] = []
    stack = [whole]
    for token in _TOKEN.finditer(value, value.index(b"{")):  # before it may be its bounds
        text, quoted = token.group(0, 1)
        if text == b"{":
            stack[-1].append([])
            stack.append(stack[-1][-1])
        elif text == b"}":
            stack.pop()
        elif text != b",":
            item = _ESCAPED.sub(rb"\1", quoted) if quoted is not None else text
            if quoted is None and text.upper() == b"NULL":
                item = None
            stack[-1].append(typecasts.typecast(array._caster, item, len(item or b""), cursor))
    return whole[0]


typecasts.parse_array.cast = typecasts.parse_array.__call__ = _parse_array
