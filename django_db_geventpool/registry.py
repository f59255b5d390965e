"""Which pool serves which database alias in this process."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Hashable, Mapping
from typing import Any

from . import drivers, hubs
from .config import PoolConfig
from .pool import Pool

# What makes two entries of DATABASES reach the server in the same way. The password is not part
# of it: it may be rotated, and each physical connect reads it afresh.
_IDENTITY = ("NAME", "USER", "HOST", "PORT", "OPTIONS")


class _Entry:
    """The pool of one alias, and the kinds of connection that were asked of it."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self._kinds: list[dict[str, Any]] = []

    def key(self, settings: Mapping[str, Any]) -> Hashable:
        """Equal for settings that lead to the same kind of connection."""
        for number, kind in enumerate(self._kinds):
            if all(settings.get(name) == value for name, value in kind.items()):
                return number
        kind = {name: settings.get(name) for name in _IDENTITY}
        self._kinds.append({**kind, "OPTIONS": dict(kind["OPTIONS"] or {})})
        return len(self._kinds) - 1


# Only held for a moment and never across I/O or a switch.
_lock = threading.Lock()
_entries: dict[str, _Entry] = {}
# Those of the parent process, kept so that no destructor says goodbye on its sockets.
_inherited: list[object] = []


def pool_for(alias: str, settings: Mapping[str, Any]) -> tuple[Pool, Hashable]:
    """The pool of *alias*, made on first use, and the key of these settings within it.

    All wrappers of an alias share its limit, copies (``connection.copy()``) included. A copy with
    other settings, a test database for example, never gets a connection of the original.
    """
    entry = _entries.get(alias)
    if entry is None:
        config = PoolConfig.from_settings(alias, settings)
        hub, driver = hubs.load(config.hub), drivers.load()
        if hub.IS_GREEN:
            driver.make_green(hub)
        with _lock:
            entry = _entries.setdefault(alias, _Entry(Pool(alias, config, hub, driver)))
    return entry.pool, entry.key(settings)


def close(alias: str) -> None:
    """Close the pool of *alias*; the next checkout makes a new one.

    Returns when the server has let go of every connection that was idle.
    """
    entry = _entries.pop(alias, None)
    if entry is not None:
        entry.pool.close()


def _at_exit() -> None:
    for entry in list(_entries.values()):
        entry.pool.close(wait=False)


def _start_empty() -> None:
    """In a forked child: the parent's connections are not ours to use, nor to close.

    Django tickets 31637 and 36957; gunicorn --preload and Celery's prefork pool do it.
    """
    global _lock
    _lock = threading.Lock()
    for entry in _entries.values():
        _inherited.append(entry)
        _inherited.extend(entry.pool.abandon())
    _entries.clear()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_empty)
