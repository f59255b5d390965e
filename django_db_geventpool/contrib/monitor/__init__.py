"""A live page of the pools of a process group, their figures as JSON, and as text for Prometheus.

``path("pool/", include("django_db_geventpool.contrib.monitor.urls"))``; see docs/monitoring.md.
"""

from ..group.publisher import begin as begin
