"""Values that psycopg2cffi would change, or refuse, on their way to the server and back."""

from __future__ import annotations

import datetime
import re
from typing import Any

from psycopg2cffi import _json, _range, extensions, tz
from psycopg2cffi._impl import adapters, typecasts

# -- to the server

_string, _time = adapters.QuotedString.getquoted, adapters.DateTime.getquoted
_binary = adapters.Binary.getquoted


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
    """Of an interval's microseconds it loses the zeros that they begin with, of a time its zone."""
    value = adapter._wrapped
    if isinstance(value, datetime.timedelta):
        parts = (value.days, value.seconds, value.microseconds)
        return b"'%d days %d.%06d seconds'::interval" % parts
    quoted: bytes = _time(adapter)
    if isinstance(value, datetime.time) and value.tzinfo is not None:
        return quoted + b"tz"
    return quoted


def _quote_binary(adapter: Any) -> bytes:
    """By itself it sends as many bytes as there are items, where one may have several."""
    value, copy = adapter._wrapped, adapter
    if value is not None and not isinstance(value, (bytes, str)):
        copy = adapters.Binary(bytes(memoryview(value)))
        copy._conn = adapter._conn
    quoted: bytes = _binary(copy)
    return quoted


def _quote_list(adapter: Any) -> bytes:
    """By itself an empty list in a list is the text "{}", and one of NULLs is a text[]."""
    items = adapter._wrapped
    if _has_only_nulls(items):
        return b"'%s'" % _nulls(items)
    quoted = (adapters._getquoted(item, adapter._conn) for item in items)
    # An empty list within: its quotes would make it a text.
    parts = (
        b"ARRAY[]" if part == b"'{}'" and isinstance(item, list) else part
        for item, part in zip(items, quoted)
    )
    return b"ARRAY[%s]" % b",".join(parts) if items else b"'{}'"


def _has_only_nulls(items: Any) -> bool:
    return bool(items) and all(
        item is None or (isinstance(item, list) and _has_only_nulls(item)) for item in items
    )


def _nulls(items: Any) -> bytes:
    return b"{%s}" % b",".join(b"NULL" if item is None else _nulls(item) for item in items)


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
adapters.Binary.getquoted = _quote_binary
adapters.List.getquoted = _quote_list
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
    return f"{range_._bounds[0]}{range_._lower}, {range_._upper}{range_._bounds[1]}"


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
for _oids in ([651], [1040], [1041]):  # cidr[], macaddr[], inet[]
    typecasts._default_type("STRINGARRAY", _oids, typecasts.parse_array(typecasts.STRING))
del typecasts.string_types[1017]  # point[] is no array of floats: text, as a point is
typecasts.string_types[705].caster = typecasts.parse_unicode  # by itself "{}" is a list

# -- times from the server

_CLOCK = re.compile(
    rb"(\d+):(\d+):(\d+)(?:\.(\d{1,6}))?(?:([+-])(\d+)(?::(\d+))?(?::(\d+))?)?", re.ASCII
)
_datetime, _fixed_offset = typecasts.parse_datetime, tz.FixedOffsetTimezone.__init__


def _clock(value: bytes, cursor: Any) -> tuple[Any, ...]:
    """What time() takes of ``24:00:00.5+01:02:03``: 24:00 is 0:00, and an offset has seconds.

    The cursor's ``tzinfo_factory`` is given the offset as a timedelta, as by psycopg2 since 2.9.
    """
    match = _CLOCK.fullmatch(value)
    if match is None:
        raise ValueError("not a time of day")
    hour, minute, second, fraction, sign, *parts = match.groups()
    zone = None
    if sign and cursor.tzinfo_factory is not None:
        hours, minutes, seconds = (int(part or 0) for part in parts)
        offset = datetime.timedelta(hours=hours, minutes=minutes, seconds=seconds)
        zone = cursor.tzinfo_factory(-offset if sign == b"-" else offset)
    microsecond = int((fraction or b"").ljust(6, b"0"))
    return int(hour) % 24, int(minute), int(second), microsecond, zone


def _parse_datetimetz(value: Any, length: Any, cursor: Any) -> Any:
    """By itself infinity is naive."""
    parsed = _datetime(value, length, cursor)
    if parsed is None or parsed.tzinfo is not None or cursor.tzinfo_factory is None:
        return parsed
    return parsed.replace(tzinfo=cursor.tzinfo_factory(datetime.timedelta(0)))


def _set_offset(zone: Any, offset: Any = None, name: str | None = None) -> None:
    """In minutes or, since psycopg2 2.9, as a timedelta."""
    if isinstance(offset, datetime.timedelta):
        offset = offset.total_seconds() / 60
    _fixed_offset(zone, offset, name)


tz.FixedOffsetTimezone.__init__ = _set_offset
typecasts._parse_time_to_args = _clock
extensions.PYDATETIMETZ = typecasts._default_type("DATETIMETZ", [1184], _parse_datetimetz)
extensions.PYDATETIMETZARRAY = typecasts._default_type(
    "DATETIMETZARRAY", [1185], typecasts.parse_array(extensions.PYDATETIMETZ)
)
