"""Runs a PgBouncer in transaction mode until its standard input closes; see ``matrix.processes``.

The first line of its input says what is behind it: ``PORT USER PASSWORD``, on 127.0.0.1.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from typing import NamedTuple

from . import processes
from .processes import Absent

#: https://www.pgbouncer.org/config.html. Any role of the server behind can log in, and its password
#: is looked up there. A startup parameter that is neither known nor ignored is refused: "options"
#: is not ignored, for who gives a search_path in it must not find out later that it was lost.
SETTINGS = {
    "listen_addr": "127.0.0.1",
    "unix_socket_dir": "",
    "pool_mode": "transaction",
    "default_pool_size": "30",
    "max_client_conn": "300",
    "auth_type": "scram-sha-256",
    "ignore_startup_parameters": "extra_float_digits",
    "log_connections": "0",
    "log_disconnections": "0",
}
#: When a client is gone in mid-query, PgBouncer closes its own connection, which the server would
#: find out at the end of the statement: psycopg2 hangs up before anybody can cancel.
#: https://www.postgresql.org/docs/current/runtime-config-connection.html
CONNECT_QUERY = "SET client_connection_check_interval = 100"
#: Debian's is not on everybody's PATH.
PLACES = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"))


class Behind(NamedTuple):
    program: str
    port: str
    user: str
    password: str


class PgBouncer(processes.Daemon):
    NAME = "PgBouncer"
    READY = b"process up"
    #: Since 1.23 an immediate shutdown; older ones do not know it, and just end.
    ENDS = (signal.SIGQUIT, signal.SIGKILL)

    def __init__(self, behind: Behind) -> None:
        super().__init__("PgBouncer")
        self.behind = behind
        self.password = behind.password

    def command(self) -> list[str]:
        behind = self.behind
        users = self.secret("users", f'"{behind.user}" "{behind.password}"\n')
        settings = {
            **SETTINGS,
            "listen_port": str(self.port),
            "auth_file": str(users),
            "auth_user": behind.user,
            "admin_users": behind.user,
        }
        if os.environ.get("PGBOUNCER_POOL_SIZE"):
            settings["default_pool_size"] = os.environ["PGBOUNCER_POOL_SIZE"]
        database = f"host=127.0.0.1 port={behind.port} connect_query='{CONNECT_QUERY}'"
        lines = ["[databases]", f"* = {database}", "[pgbouncer]"]
        lines += [f"{key} = {value}" for key, value in settings.items()]
        return [behind.program, str(self.secret("pgbouncer.ini", "\n".join(lines) + "\n"))]


def program(places: str = PLACES) -> str:
    found = shutil.which("pgbouncer", path=places)
    if found is None:
        raise Absent(
            "PG_PROVIDER=pgbouncer runs the PgBouncer that the system has, and there is none: apt "
            "install pgbouncer (Debian, Ubuntu)."
        )
    return found


def find() -> Behind:
    port, user, password = sys.stdin.readline().split()
    return Behind(program(), port, user, password)


def main() -> int:
    return processes.serve(find, PgBouncer)


if __name__ == "__main__":
    sys.exit(main())
