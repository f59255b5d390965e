"""Runs a Redis until its standard input closes; see ``matrix.processes``."""

from __future__ import annotations

import shutil
import signal
import sys

from matrix import processes
from matrix.processes import Absent


class Redis(processes.Daemon):
    NAME = "Redis"
    READY = b"Ready to accept connections"
    ENDS = (signal.SIGTERM, signal.SIGKILL)

    def __init__(self, program: str) -> None:
        super().__init__("Redis")
        self.program = program

    def command(self) -> list[str]:
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "requirepass": self.password,
            "save": '""',
        }
        lines = "".join(f"{name} {value}\n" for name, value in settings.items())
        return [self.program, str(self.secret("redis.conf", lines))]


def find() -> str:
    found = shutil.which("redis-server")
    if found is None:
        raise Absent("There is no redis-server: apt install redis-server (Debian, Ubuntu).")
    return found


if __name__ == "__main__":
    sys.exit(processes.serve(find, Redis))
