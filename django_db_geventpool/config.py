"""The pool's part of ``DATABASES[alias]``: read in one place, validated once, frozen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.views.debug import SafeExceptionReporterFilter

#: The keys of OPTIONS that are the pool's; every other key is the driver's. libpq's and the
#: drivers' own keys are lower case, so an unknown upper-case key can only be a misspelling.
OPTIONS = ("MAX_CONNS", "REUSE_CONNS", "WAIT_TIMEOUT", "HUB")
HUBS = ("gevent", "eventlet", "threads")

DEFAULT_MAX_CONNS = 4
DEFAULT_WAIT_TIMEOUT = 30.0


@dataclass(frozen=True)
class PoolConfig:
    """The validated options of one pool."""

    max_conns: int = DEFAULT_MAX_CONNS
    """Hard limit of server connections, for each process and database alias."""

    reuse_conns: int = DEFAULT_MAX_CONNS
    """How many connections stay open while nobody uses them; 0 closes each one on return."""

    wait_timeout: float | None = DEFAULT_WAIT_TIMEOUT
    """Seconds to wait for a connection before PoolTimeout; None waits for ever."""

    hub: str | None = None
    """Name of the concurrency library; None takes the one that has patched the process."""

    @classmethod
    def from_settings(cls, alias: str, settings: Mapping[str, Any]) -> PoolConfig:
        """Read one entry of ``DATABASES``.

        :raises ImproperlyConfigured: naming the option, its value and what is accepted.
        """
        reader = _Reader(alias, settings.get("OPTIONS") or {})
        reader.refuse_unknown()
        max_age = settings.get("CONN_MAX_AGE", 0)
        if max_age != 0 or isinstance(max_age, bool):
            raise reader.error(
                "CONN_MAX_AGE", max_age, "0: the pool itself keeps the connections open"
            )
        max_conns = reader.integer("MAX_CONNS", DEFAULT_MAX_CONNS, least=1)
        reuse_conns = reader.integer("REUSE_CONNS", max_conns, least=0)
        if reuse_conns > max_conns:
            raise reader.error(
                "OPTIONS['REUSE_CONNS']", reuse_conns, f"at most MAX_CONNS, which is {max_conns}"
            )
        return cls(max_conns, reuse_conns, reader.wait_timeout(), reader.hub())


class _Reader:
    def __init__(self, alias: str, options: Mapping[str, Any]) -> None:
        self._alias = alias
        self._options = options

    def error(self, name: str, value: object, accepted: str) -> ImproperlyConfigured:
        return ImproperlyConfigured(
            f"DATABASES[{self._alias!r}]: {name} is {value!r}; accepted is {accepted}."
        )

    def refuse_unknown(self) -> None:
        for key, value in self._options.items():
            if (key.isupper() or key.upper() in OPTIONS) and key not in OPTIONS:
                value = SafeExceptionReporterFilter().cleanse_setting(key, value)
                raise self.error(f"OPTIONS[{key!r}]", value, f"one of {', '.join(OPTIONS)}")
        if self._options.get("pool"):
            raise self.error(
                "OPTIONS['pool']",
                self._options["pool"],
                "none (or False): two pools on top of each other would each hold connections. "
                "Remove it, or use ENGINE 'django.db.backends.postgresql' for Django's own pool",
            )

    def integer(self, key: str, default: int, *, least: int) -> int:
        value = self._options.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise self.error(f"OPTIONS[{key!r}]", value, f"a whole number of at least {least}")
        return value

    def wait_timeout(self) -> float | None:
        value = self._options.get("WAIT_TIMEOUT", DEFAULT_WAIT_TIMEOUT)
        if value is None:
            return None
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value) or value < 0:
            raise self.error(
                "OPTIONS['WAIT_TIMEOUT']", value, "seconds, 0 or more, or None to wait for ever"
            )
        return float(value)

    def hub(self) -> str | None:
        value = self._options.get("HUB")
        if value is not None and value not in HUBS:
            raise self.error("OPTIONS['HUB']", value, f"one of {', '.join(HUBS)}, or None")
        return value
