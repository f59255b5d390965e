"""Questions and commands to PgBouncer's console.

https://www.pgbouncer.org/usage.html#admin-console
"""

from __future__ import annotations

from contextlib import closing
from typing import Any

from matrix.postgres import Server


def ask(pgbouncer: Server, command: str) -> list[dict[str, Any]]:
    """The rows of the answer."""
    from django.db.backends.postgresql.psycopg_any import is_psycopg3

    if is_psycopg3:
        from psycopg import connect
    else:
        from psycopg2 import connect
    with closing(
        connect(
            dbname="pgbouncer",
            host=pgbouncer.host,
            port=pgbouncer.port,
            user=pgbouncer.user,
            password=pgbouncer.password,
        )
    ) as console:
        console.autocommit = True  # it knows no BEGIN
        cursor = console.cursor()
        cursor.execute(command)
        if cursor.description is None:
            return []
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row)) for row in cursor.fetchall()]


def clients(pgbouncer: Server, application_name: str) -> list[int]:
    """The ports from which the clients of this name are connected, sorted."""
    return sorted(
        client["port"]
        for client in ask(pgbouncer, "SHOW CLIENTS")
        if client["application_name"] == application_name
    )


def let_go(pgbouncer: Server, database: str) -> None:
    """End its own connections to a database: while there are any, that cannot be dropped."""
    ask(pgbouncer, f'KILL "{database}"')
    ask(pgbouncer, f'RESUME "{database}"')
