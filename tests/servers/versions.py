"""The versions of what these tests start, as installed from ``uv.lock``.

``python -m tests.servers.versions`` writes them into ``docs/servers.md``.
"""

from __future__ import annotations

from importlib.metadata import version

from matrix import ROOT, markers

PAGE = ROOT / "docs" / "servers.md"
BEGIN = "<!-- versions: begin (tox exec -e servers -- python -m tests.servers.versions) -->"
END = "<!-- versions: end -->"
#: By their names on PyPI, each with what of it the tests start.
PACKAGES = {
    "gunicorn": "its gevent worker",
    "gevent": "`gevent.pywsgi`",
    "uWSGI": "its gevent loop",
    "celery": "its worker, with `-P gevent` and `-P prefork`",
    "redis": "Celery's client; Redis itself is the system's",
    "uvicorn": "Django under ASGI",
    "Django": "management commands, `runserver`, `LiveServerTestCase`",
    "pytest-django": "a test run",
    "pytest-xdist": "the same in several processes",
    "opentelemetry-sdk": "its `MeterProvider`, with `instrument()`; spans, under gunicorn",
    "opentelemetry-instrumentation-django": "the same spans",
    "opentelemetry-instrumentation-psycopg": "the same spans",
    "prometheus-client": "its parser and multiprocess mode, under gunicorn",
    "django-tenants": "under gunicorn",
    "sentry-sdk": "its events, in a log instead of sent",
    "django-prometheus": "under gunicorn",
    "django-debug-toolbar": "under gunicorn",
    "psycopg": "the driver",
}


def table() -> str:
    rows = [(name, version(name), what) for name, what in PACKAGES.items()]
    rows = [("package", "version", "what of it is started"), ("---", "---", "---"), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> None:
    before, _, after = markers.split(PAGE.read_text("utf-8"), BEGIN, END)
    PAGE.write_text(f"{before}\n\n{table()}\n\n{after}", "utf-8")


if __name__ == "__main__":
    main()
