"""Patches the test process before anything else is imported: TEST_HUB names the library.

Loaded with ``-p`` from pyproject.toml, because a conftest would come too late.
"""

from __future__ import annotations

import os

HUB = os.environ.get("TEST_HUB", "gevent")

if HUB == "gevent":
    from gevent import monkey

    monkey.patch_all()
elif HUB == "eventlet":
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says of itself that it is deprecated
        import eventlet

        eventlet.monkey_patch()
elif HUB != "threads":
    raise SystemExit(f"TEST_HUB is {HUB!r}; it can be gevent, eventlet or threads")


def pytest_report_header() -> str:
    return f"hub: {HUB}"
