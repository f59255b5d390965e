"""ENGINE "tests.servers.site.prometheus": what docs/servers.md recommends."""

from __future__ import annotations

from functools import cache
from typing import Any

from django_prometheus.db.common import DatabaseWrapperMixin, ExportingCursorWrapper

from django_db_geventpool.backends.postgresql_psycopg import base

counting = cache(ExportingCursorWrapper)  # Django asks at each checkout


class DatabaseWrapper(DatabaseWrapperMixin, base.DatabaseWrapper):
    def get_connection_params(self) -> dict[str, Any]:
        params = super().get_connection_params()
        params["cursor_factory"] = counting(params["cursor_factory"], self.alias, self.vendor)
        return params

    def create_cursor(self, name: str | None = None) -> Any:
        return base.DatabaseWrapper.create_cursor(self, name)
