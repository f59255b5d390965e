"""A tab of Locust's web interface: the site's pools, beside what the server says of its sessions.

The page is that of ``django_db_geventpool.contrib.monitor``. It asks for the site's own figures, to
which ``pg_stat_activity`` is added as ``server``; the samples of that begin with the first test.

Locust makes a tab of each of its template argument ``extended_tabs``, and fills it with a table or
with the React element that ``component`` names. That may be a custom element; ours is a frame with
the page in it. https://docs.locust.io/en/stable/extending-locust.html
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import Any

import gevent
import psycopg
import requests
from flask import Blueprint, Response, abort, request

from django_db_geventpool.contrib.monitor import views
from loadtests import _inputs, _sampler
from matrix import postgres

#: Seconds that the site may take to tell of its pools; it is asked once a second.
TIMEOUT = 3.0
#: Seconds from one sample to the next, and how many are kept: five minutes, as the site does.
INTERVAL, SAMPLES = 1.0, 300
TAB = {"title": "Pool", "key": "pool", "component": "geventpool-page"}
#: As high as the page, so that only Locust's own scrolls; light or dark as Locust's is.
ELEMENT = """<script>
customElements.define("geventpool-page", class extends HTMLElement {
  connectedCallback() {
    const frame = document.createElement("iframe");
    frame.src = "./pool/";
    frame.title = "The site's connection pools";
    frame.style = "border: 0; display: block; width: 100%; height: 80vh";
    frame.style.colorScheme = localStorage.theme ?? "light dark";
    frame.onload = () => {
      const page = frame.contentDocument.documentElement;
      const fit = () => { frame.style.height = `${page.offsetHeight}px`; };
      new ResizeObserver(fit).observe(page);
    };
    this.replaceChildren(frame);
  }
});
</script>
"""


class Sessions:
    """Those of the site, as the server sees them; on one connection."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self._max_connections = 0
        self.samples: deque[tuple[float, int, int, int]] = deque(maxlen=SAMPLES)

    def read(self, prefix: str) -> dict[str, Any]:
        """What is now, and the samples until now.

        :param prefix: how the application names of the site's sessions begin.
        :raises psycopg.Error: if the server does not answer.
        """
        with self._lock:
            rows = self._connected().execute(_sampler.SESSIONS, [prefix]).fetchall()
            now = round(time.time(), 2)
            states = {"active": 0, "idle": 0, "idle in transaction": 0}
            for _, _, state, _, _ in rows:
                states[state] = states.get(state, 0) + 1
            active, idle = states["active"], states["idle"]
            # In between, for somebody who has just looked, the last one stays.
            if not self.samples or now - self.samples[-1][0] >= INTERVAL / 2:
                self.samples.append((now, active, idle, len(rows) - active - idle))
            keys = ("pid", "application", "state", "wait", "seconds")
            return {
                "at": now,
                "max_connections": self._max_connections,
                "states": states,
                "samples": list(self.samples),
                "sessions": [dict(zip(keys, row)) for row in rows],
            }

    def _connected(self) -> psycopg.Connection[tuple[Any, ...]]:
        if self._connection is None or self._connection.closed:
            self._connection = _sampler.connect(self._url)
            (setting,) = self._connection.execute("SHOW max_connections").fetchall()[0]
            self._max_connections = int(setting)
        return self._connection


class PoolTab:
    """:param host: the site's, as it is now."""

    def __init__(self, database: postgres.Server, host: Callable[[], str]) -> None:
        self._sessions = Sessions(database.url)
        self._host = host
        self._site = lru_cache(maxsize=1)(_inputs.site)
        self._sampling: gevent.Greenlet[[], None] | None = None

    def add_to(self, web_ui: Any, events: Any, base_path: str) -> None:
        """As a tab, with routes of their own, which need the same login as Locust's."""
        routes = Blueprint("pool", __name__, url_prefix=f"{base_path}/pool")
        for path, view in (("/", page), ("/status.json", self.status), ("/<name>", part)):
            routes.add_url_rule(path, view_func=web_ui.auth_required_if_enabled(view))
        web_ui.app.register_blueprint(routes)
        web_ui.app.after_request(with_element)
        web_ui.template_args.setdefault("extended_tabs", []).append(TAB)
        events.test_start.add_listener(self.test_start)

    def status(self) -> Any:
        """The site's own status, and what the server says of the same moment."""
        try:
            site = self._site(self._host())
            status = pools_of(site)
        except _inputs.Unusable as problem:
            return Response(f"{problem}\n", 502, content_type="text/plain")
        try:
            status["server"] = self._sessions.read(site.application_name)
        except psycopg.Error as problem:
            reason = str(problem).partition("\n")[0]
            status["server"] = {"error": reason, "samples": list(self._sessions.samples)}
        return status

    def test_start(self, **_: Any) -> None:
        if self._sampling is None:
            self._sampling = gevent.spawn(self._sample)

    def _sample(self) -> None:
        """For as long as Locust runs: how the site cools down after a test is worth seeing, too."""
        while True:
            with suppress(_inputs.Unusable, psycopg.Error):  # whoever looks is told of them
                self._sessions.read(self._site(self._host()).application_name)
            gevent.sleep(INTERVAL)


def pools_of(site: _inputs.Site) -> dict[str, Any]:
    """What its monitor says of its pools.

    :raises Unusable: if it says nothing.
    """
    url = f"{site.host}/pool/status.json"
    try:
        answer = requests.get(url, timeout=TIMEOUT)
        answer.raise_for_status()
        return dict(answer.json())
    except requests.RequestException as problem:
        answered = problem.response
        reason = type(problem).__name__ if answered is None else answered.reason
        raise _inputs.Unusable(f"The site tells of no pools at {url} ({reason}).") from None


def page() -> Response:
    return part("page.html")


def part(name: str) -> Response:
    """What the page loads."""
    try:
        content, media_type = views.asset(name)
    except KeyError:
        abort(404)
    return Response(content, content_type=media_type)


def with_element(response: Response) -> Response:
    """Locust's page with our element, which it would not know otherwise."""
    if request.endpoint == "locust.index":
        html = response.get_data(as_text=True)
        response.set_data(html.replace("</head>", f"{ELEMENT}</head>", 1))
    return response
