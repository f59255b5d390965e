"""What a statement leaves in its session, as far as its text tells."""

from __future__ import annotations

import re
from typing import Any

_LIKE_THE_ORM = ("select", "insert", "update", "delete")
#: Comments and literals, also such as never end: each is passed over once, whatever stands in it.
_NOISE = re.compile(
    r"""
    -- [^\n]*
    | /\* (?: [^*] | \* (?! / ) )* (?: \*/ | \Z )
    | ' [^']* (?: ' | \Z )
    """,
    re.VERBOSE,
)
#: How statements begin that leave something in the session after their transaction.
#: https://www.postgresql.org/docs/current/sql-discard.html
_LEAVES = re.compile(
    r"""
    \s*
    (?: set \b (?! \s+ (?: local | transaction | constraints ) \b )
      | (?: reset | load | listen | unlisten | discard | declare | deallocate ) \b
      | prepare \b (?! \s+ transaction \b )
      | create \s+ (?: or \s+ replace \s+ )? (?: (?: global | local ) \s+ )? temp (?: orary )? \b
    )
    """,
    re.VERBOSE,
)
#: What leaves something wherever it stands.
_LEAVES_ANYWHERE = re.compile(
    r"""
    \b (?: into \s+ (?: (?: global | local ) \s+ )? temp (?: orary )? \b
       | pg_temp \b
       | set_config \s* \(
       | pg_ (?: try_ )? advisory_lock
    )
    """,
    re.VERBOSE,
)
#: What answers about an earlier statement of the session.
_ASKS = re.compile(r"\b (?: currval | lastval ) \s* \(", re.VERBOSE)


def is_harmless(sql: str) -> bool:
    """Whether a statement, in lower case, can be told at a glance to have to do with no other."""
    return sql.startswith(_LIKE_THE_ORM) and not (
        ";" in sql
        or "temp" in sql
        or "_lock" in sql
        or "set_config" in sql
        or "currval" in sql
        or "lastval" in sql
    )


def leaves_something(sql: str) -> bool:
    """Whether the session is another one after *sql*, in lower case, as far as its text tells."""
    sql = _NOISE.sub(" ", sql)
    return any(map(_LEAVES.match, sql.split(";"))) or bool(_LEAVES_ANYWHERE.search(sql))


def asks_about_another(sql: str) -> bool:
    """Whether *sql*, in lower case, wants to know what an earlier statement of the session did."""
    return _ASKS.search(sql) is not None


def text_of(sql: Any, connection: Any) -> str:
    """Of bytes, or of what ``psycopg.sql`` or ``psycopg2.sql`` has composed."""
    if isinstance(sql, bytes):
        return sql.decode(errors="replace")
    if hasattr(sql, "as_string"):
        return str(sql.as_string(connection))
    from psycopg.sql import as_string  # a template string, which only its newest versions take

    return str(as_string(sql, connection))
