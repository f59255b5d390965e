"""geventpool.W005: whether the server has room for what the pools may ask of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from django.core.checks import CheckMessage, Warning
from django.core.exceptions import ImproperlyConfigured
from django.db import Error
from django.db.backends.base.validation import BaseDatabaseValidation

from ..checks import Settings, aliases
from ..config import PoolConfig

#: gunicorn takes the number of its workers from it, and so do many platforms.
WORKERS = "WEB_CONCURRENCY"

# The limits of role and database do not hold for superusers; -1 is none, -2 an invalid database.
# The role is the one that logged in, whatever assume_role made of it. reserved_connections is new
# in PostgreSQL 16: https://www.postgresql.org/docs/current/runtime-config-connection.html
_LIMITS = """
SELECT current_setting('max_connections')::int,
       current_setting('superuser_reserved_connections')::int
           + coalesce(current_setting('reserved_connections', true)::int, 0),
       (SELECT rolconnlimit FROM pg_roles WHERE rolname = session_user
           AND rolconnlimit >= 0 AND NOT rolsuper),
       (SELECT datconnlimit FROM pg_database WHERE datname = current_database()
           AND datconnlimit >= 0
           AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = session_user))
"""


class PooledDatabaseValidation(BaseDatabaseValidation):
    """Runs where the database is named: ``check --database ALIAS``, ``migrate``, ``test``.

    Not a registered check, because Django calls it for whatever alias it is asked for, also where
    the engine is imported only then.
    """

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        issues: list[CheckMessage] = list(super().check(**kwargs))
        try:
            limits = list(self._limits())
        except (Error, ImproperlyConfigured):
            return issues  # the command that needs the server, or the other checks, will tell
        workers = _workers()
        for what, room, why, common in limits:
            claims = self._claims(*common)
            if sum(claims.values()) * workers > room:
                issues.append(self._warning(what, room, why, claims, workers))
        return issues

    def _limits(self) -> Iterator[tuple[str, int, str, tuple[str, ...]]]:
        """What has a limit, its room, the words for that, and the settings of who shares it."""
        was_connected = self.connection.connection is not None
        try:
            with self.connection.cursor() as cursor:
                cursor.execute(_LIMITS)
                at_most, reserved, role, database = cursor.fetchone()
        finally:
            if not was_connected:
                self.connection.close()
        room = at_most - reserved
        yield "server", room, f"max_connections {at_most} - {reserved} reserved = {room}", ()
        if role is not None:
            yield "role", role, f"its CONNECTION LIMIT is {role}", ("USER",)
        if database is not None:
            yield "database", database, f"its CONNECTION LIMIT is {database}", ("NAME",)

    def _claims(self, *common: str) -> dict[str, int]:
        """MAX_CONNS of each alias of ours on this server that has these settings in common."""
        mine = _place(self.connection.settings_dict, common)
        claims = {}
        for alias, settings in aliases():
            if _place(settings, common) == mine:
                with suppress(ImproperlyConfigured):  # it has no pool, and a message of its own
                    claims[alias] = PoolConfig.from_settings(alias, settings).max_conns
        return claims

    def _warning(
        self, what: str, room: int, why: str, claims: dict[str, int], workers: int
    ) -> CheckMessage:
        each = " + ".join(f"{number} for {alias!r}" for alias, number in claims.items())
        sum_ = f"MAX_CONNS ({each}) x {workers} worker process{'es' if workers > 1 else ''}"
        message = (
            f"DATABASES[{self.connection.alias!r}]: the pools may open more connections than the "
            f"{what} allows: {sum_} = {sum(claims.values()) * workers}; {why}."
        )
        source = f"{WORKERS} is {workers}" if workers > 1 else f"1, or set {WORKERS}"
        hint = (
            f"Lower MAX_CONNS or the number of workers ({source}), or raise the limit on the "
            "server. Further machines and other clients of the server are not counted here."
        )
        return Warning(message, hint=hint, id="geventpool.W005")


def _workers() -> int:
    value = os.environ.get(WORKERS, "")
    return max(1, int(value)) if value.isdecimal() else 1


def _place(settings: Settings, common: tuple[str, ...]) -> list[str]:
    """Equal for settings that name the same server in the same way, and *common* alike."""
    service = (settings.get("OPTIONS") or {}).get("service", "")
    place = [settings["HOST"], settings["PORT"] or 5432, service]
    return [str(value) for value in (*place, *(settings[key] for key in common))]
