"""Visitors of the demo site, and a verdict on its connection pool.

The suite asks one thing: while many greenlets want the database at once, does each worker process
keep to ``MAX_CONNS`` connections, fall back to ``REUSE_CONNS`` when they have gone, and answer
everybody in time? It counts sessions in ``pg_stat_activity``, so it asks the server, not the pool.

30 seconds with 100 users are enough: the peak comes with the arrival of the users. Start the site
on the database that ``DATABASE_URL`` names, then::

    locust -f loadtests/ --headless -u 100 -r 50 -t 30s

Without ``--headless`` the tab Pool of Locust's web interface shows the site's pools under the load.
The exit code is the verdict: 0 passed, 1 failed, 2 there was nothing to test. ``-H`` names a site
elsewhere than at http://127.0.0.1:8000. Limits: ``--max-failure-ratio``, ``--max-p95``,
``--max-conns``, ``--reuse-conns``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from locust import events

# Locust may be started in any folder; the suite needs its neighbours.
sys.path.append(str(Path(__file__).resolve().parent.parent))

from loadtests._verdict import hook_in
from loadtests._visitors import Analyst, Browser, Buyer, Payer, Stumbler

__all__ = ["Analyst", "Browser", "Buyer", "Payer", "Stumbler"]

hook_in(events)
