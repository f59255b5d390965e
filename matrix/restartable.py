"""A PostgreSQL of its own that can be restarted: ``python -m matrix.restartable``.

It prints its port and password, and restarts for each line of standard input: ``fast`` ends all
sessions in order, ``immediate`` as a crash does. It answers with its port when it serves again,
and ends when its input closes. ``tests.plugin_proxy`` holds the other end.
"""

from __future__ import annotations

import signal
import sys

from .embedded import EmbeddedServer
from .processes import Failed

#: https://www.postgresql.org/docs/current/server-shutdown.html
SIGNALS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}


def main() -> None:
    server = EmbeddedServer()
    try:
        server.start()
        print(server.port, server.password, flush=True)
        for line in sys.stdin:
            assert server.process is not None
            server.process.send_signal(SIGNALS[line.strip()])
            server.process.wait()
            if not server.serve():
                raise Failed(f"PostgreSQL did not come back: {server.last_log_line()}")
            print(server.port, flush=True)
    finally:
        server.remove()


if __name__ == "__main__":
    main()
