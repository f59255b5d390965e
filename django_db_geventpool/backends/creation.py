"""Test databases: no pooled connection may be open to one that is copied or dropped."""

from __future__ import annotations

from typing import Any

from django.db.backends.postgresql.creation import DatabaseCreation


class PooledDatabaseCreation(DatabaseCreation):
    """Closes the pool where Django's own pool does, on every Django version."""

    def _create_test_db(self, *args: Any, **kwargs: Any) -> str:
        # From here on NAME is another database. (Not in create_test_db(), whose deprecation
        # warnings name the caller's file by counting frames.)
        self.connection.close_pool()
        return str(super()._create_test_db(*args, **kwargs))  # type: ignore[misc]

    def _clone_test_db(self, *args: Any, **kwargs: Any) -> None:
        self.connection.close()
        self.connection.close_pool()
        super()._clone_test_db(*args, **kwargs)  # type: ignore[misc]

    def _destroy_test_db(self, *args: Any, **kwargs: Any) -> None:
        self.connection.close_pool()
        super()._destroy_test_db(*args, **kwargs)  # type: ignore[misc]
