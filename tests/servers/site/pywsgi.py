"""``python -m tests.servers.site.pywsgi``: gevent's own server, as docs/servers.md recommends."""

# ruff: noqa: E402  (patched before anything else is imported)
from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import os
import signal

import gevent
from django.db import connection
from gevent.pywsgi import WSGIServer

from .wsgi import application


def main() -> None:
    # With a pool of greenlets, of any size, the server waits for those that serve a request.
    server = WSGIServer(("127.0.0.1", 0), application, spawn=1000, log=None)
    gevent.signal_handler(signal.SIGTERM, server.close)  # serve_forever() then stops it
    server.start()
    print(f"listens at 127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever(stop_timeout=float(os.environ.get("SITE_GRACE", "20")))
    pool = connection.geventpool  # type: ignore[attr-defined]
    print(f"closed: {pool.close()}, {pool.stats()}", flush=True)


if __name__ == "__main__":
    main()
