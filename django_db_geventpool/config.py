"""The pool's part of ``DATABASES[alias]``: read in one place, validated once, frozen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, overload

from django.core.exceptions import ImproperlyConfigured
from django.views.debug import SafeExceptionReporterFilter

#: The keys of OPTIONS that are the pool's; every other key is the driver's. libpq's and the
#: drivers' own keys are lower case, so an unknown upper-case key can only be a misspelling.
OPTIONS = (
    "MAX_CONNS",
    "REUSE_CONNS",
    "MIN_CONNS",
    "WAIT_TIMEOUT",
    "MAX_IDLE",
    "MAX_LIFETIME",
    "RESET",
    "RELEASE",
    "LEAK_THRESHOLD",
    "HUB",
)
#: Parameters of libpq that nobody but the server may see.
#: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
SECRETS = {
    "password",
    "sslpassword",
    "scram_client_key",
    "scram_server_key",
    "oauth_client_secret",
}
RESETS = ("rollback", "discard")
RELEASES = ("request", "transaction")
HUBS = ("gevent", "eventlet", "threads")

DEFAULT_MAX_CONNS = 4
DEFAULT_WAIT_TIMEOUT = 30.0
DEFAULT_MAX_IDLE = 600.0
DEFAULT_MAX_LIFETIME = 3600.0


class Secret(str):
    """A string like any other that is not shown by its repr.

    Error trackers, and Django's own pages, tell of each frame what its variables were.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(SafeExceptionReporterFilter.cleansed_substitute)


def secret(value: Any) -> Any:
    """Hidden, if there is something to hide."""
    return Secret(value) if isinstance(value, str) else value


def hide_secrets(values: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of an entry of ``DATABASES``."""
    hidden = dict(values)
    for key, value in values.items():
        if isinstance(value, Mapping):
            hidden[key] = hide_secrets(value)
        elif key.lower() in SECRETS:
            hidden[key] = secret(value)
    return hidden


@dataclass(frozen=True)
class PoolConfig:
    """The validated options of one pool."""

    max_conns: int = DEFAULT_MAX_CONNS
    """Hard limit of server connections, for each process and database alias."""

    reuse_conns: int = DEFAULT_MAX_CONNS
    """How many connections stay open while nobody uses them; 0 closes each one on return."""

    min_conns: int = 0
    """How many connections, once opened, are kept open even if nobody has used them for long."""

    wait_timeout: float | None = DEFAULT_WAIT_TIMEOUT
    """Seconds to wait for a connection before PoolTimeout; None waits for ever."""

    max_idle: float | None = DEFAULT_MAX_IDLE
    """Seconds after which a connection that nobody uses is closed; None keeps it."""

    max_lifetime: float | None = DEFAULT_MAX_LIFETIME
    """Seconds after which a connection is replaced, once nobody uses it; None keeps it."""

    reset: str = "rollback"
    """What is done to a connection on its return: "rollback", or "discard" all of its state."""

    release: str = "request"
    """When a connection goes back: at the end of the "request", or of each "transaction"."""

    leak_threshold: float | None = None
    """Seconds after which whoever holds a connection is named in a warning; None never warns."""

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
        min_conns = reader.integer("MIN_CONNS", 0, least=0)
        if min_conns > reuse_conns:
            raise reader.error(
                "OPTIONS['MIN_CONNS']", min_conns, f"at most REUSE_CONNS, which is {reuse_conns}"
            )
        return cls(
            max_conns=max_conns,
            reuse_conns=reuse_conns,
            min_conns=min_conns,
            wait_timeout=reader.seconds(
                "WAIT_TIMEOUT", DEFAULT_WAIT_TIMEOUT, least=0, none="to wait for ever"
            ),
            max_idle=reader.seconds("MAX_IDLE", DEFAULT_MAX_IDLE, least=1, none="for no limit"),
            max_lifetime=reader.seconds(
                "MAX_LIFETIME", DEFAULT_MAX_LIFETIME, least=1, none="for no limit"
            ),
            reset=reader.choice("RESET", RESETS, default="rollback"),
            release=reader.choice("RELEASE", RELEASES, default="request"),
            leak_threshold=reader.seconds("LEAK_THRESHOLD", None, least=0, none="to be silent"),
            hub=reader.choice("HUB", HUBS),
        )


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

    def seconds(self, key: str, default: float | None, *, least: int, none: str) -> float | None:
        value = self._options.get(key, default)
        if value is None:
            return None
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value) or value < least:
            raise self.error(
                f"OPTIONS[{key!r}]", value, f"seconds, {least} or more, or None {none}"
            )
        return float(value)

    @overload
    def choice(self, key: str, choices: tuple[str, ...]) -> str | None: ...
    @overload
    def choice(self, key: str, choices: tuple[str, ...], default: str) -> str: ...
    def choice(self, key: str, choices: tuple[str, ...], default: str | None = None) -> str | None:
        value: str | None = self._options.get(key, default)
        if value != default and value not in choices:
            accepted = " or ".join(repr(choice) for choice in choices)
            raise self.error(f"OPTIONS[{key!r}]", value, accepted)
        return value
