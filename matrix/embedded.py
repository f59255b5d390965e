"""Runs a PostgreSQL of its own until its standard input closes; see ``matrix.processes``.

Which one, ``matrix.binaries`` finds out. Nothing of it is left when it has ended.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial

from . import binaries, processes
from .binaries import Binaries
from .processes import Failed

#: Nothing that is stored here is ever wanted again, so nothing need reach the disk.
SERVER_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
}


class EmbeddedServer(processes.Daemon):
    """One cluster, as initdb makes it, and the server on it."""

    NAME = "PostgreSQL"
    READY = b"ready to accept connections"
    #: Fast shutdown, which ends open sessions; then the hard way.
    ENDS = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)

    def __init__(self, found: Binaries | None = None) -> None:
        self.binaries = found or binaries.find(os.environ)
        super().__init__(self.binaries.origin)

    def prepare(self) -> None:
        if not self.account.can_run(self.binaries.program("postgres"), self.folder):
            self.binaries = self.binaries.copy(self.folder)
        pwfile = self.secret("pwfile", self.password)
        done = subprocess.run(
            [str(self.binaries.program("initdb")), f"--pgdata={self.folder / 'data'}"]
            + ["--username=postgres", f"--pwfile={pwfile}", "--auth=scram-sha-256"]
            + ["--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"],
            cwd=self.folder,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **self.account.popen,
        )
        pwfile.unlink()
        if done.returncode:
            raise Failed(f"initdb failed: {done.stdout.strip().splitlines()[-1]}")

    def command(self) -> list[str]:
        settings = dict(SERVER_SETTINGS)
        if os.environ.get("PG_MAX_CONNECTIONS"):  # the benchmarks open hundreds
            settings["max_connections"] = os.environ["PG_MAX_CONNECTIONS"]
        options = [f"-c{key}={value}" for key, value in settings.items()]
        program = str(self.binaries.program("postgres"))
        return [program, f"-D{self.folder / 'data'}", f"-p{self.port}", *options]


def main() -> int:
    return processes.serve(partial(binaries.find, os.environ), EmbeddedServer)


if __name__ == "__main__":
    sys.exit(main())
