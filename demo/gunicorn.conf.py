"""gunicorn on gevent: the worker patches itself before it loads the site; no hook is needed."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any

bind = os.environ.get("DEMO_BIND", "127.0.0.1:8000")
workers = int(os.environ.get("DEMO_WORKERS", "2"))
worker_class = "gevent"
worker_connections = 1000
graceful_timeout = 5
keepalive = 30
accesslog = None
loglevel = "warning"
control_socket_disable = True


def when_ready(server: Any) -> None:
    print(f"{server.cfg.workers} gevent workers at {bind}", file=sys.stderr, flush=True)
    if os.environ.get("DEMO_ENDS_WITH_STDIN"):
        threading.Thread(target=end_with_stdin, daemon=True).start()


def end_with_stdin() -> None:
    """End the site when demo.run, which holds the other end of the pipe, is gone."""
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
