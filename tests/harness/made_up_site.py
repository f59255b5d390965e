"""A site that shows the live page with figures that a test makes up."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from django_db_geventpool.contrib.monitor.views import asset

from .made_up_status import Json

#: What a strict site sends: nothing from elsewhere, and nothing inline.
POLICY = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


class Site:
    """Set what it answers; ``end`` takes it away and ``begin`` brings it back to the same port."""

    def __init__(self) -> None:
        self.status: Json | None = None
        self.code = 200
        #: Cleared, it makes whoever asks for figures wait for their answer.
        self.answers = threading.Event()
        self.answers.set()
        self.asked: list[str] = []
        self._port = 0
        self.begin()
        self.url = f"http://127.0.0.1:{self._port}/pool/"

    def begin(self) -> None:
        class Server(ThreadingHTTPServer):
            daemon_threads = True
            site = self

        self._server = Server(("127.0.0.1", self._port), _Handler)
        self._port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.02])
        self._thread.start()

    def end(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.answers.set()

    def asked_for_figures(self) -> int:
        return self.asked.count("/pool/status.json")


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        site: Site = self.server.site  # type: ignore[attr-defined]
        site.asked.append(self.path)
        folder, _, name = self.path.rpartition("/")
        try:
            if folder != "/pool":
                raise KeyError(folder)
            if name == "status.json":
                site.answers.wait()
                self._answer(site.code, json.dumps(site.status).encode(), "application/json")
            else:
                self._answer(200, *asset(name or "page.html"))
        except KeyError:
            self._answer(404, b"", "text/plain")
        except (BrokenPipeError, ConnectionResetError):
            pass  # the browser has gone to another page

    def _answer(self, code: int, content: bytes, media_type: str) -> None:
        self.send_response(code)
        for name, value in (
            ("Content-Type", media_type),
            ("Content-Length", str(len(content))),
            ("Content-Security-Policy", POLICY),
            ("X-Content-Type-Options", "nosniff"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        """Nothing."""
