"""Which pool serves which database: one for each alias and set of settings, in each process."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Mapping
from typing import Any

from . import drivers, hubs
from .config import PoolConfig
from .pool import Pool

# What makes two entries of DATABASES the same database. The password is not part of it: it may
# be rotated, and each physical connect reads it afresh.
_IDENTITY = ("NAME", "USER", "HOST", "PORT", "OPTIONS")

# Only held for a moment and never across I/O or a switch; created at import, patched or not.
_lock = threading.Lock()
_pools: dict[str, list[tuple[dict[str, Any], Pool]]] = {}
# Pools of the parent process, kept so that no destructor says goodbye on its sockets.
_inherited: list[object] = []


def pool_for(alias: str, settings: Mapping[str, Any]) -> Pool:
    """The pool of this database, made on first use.

    A copy of a wrapper (``connection.copy()``) shares the pool of its original as long as it
    names the same database in the same way; one with other settings gets a pool of its own.
    """
    pool = _find(alias, settings)
    if pool is None:
        config = PoolConfig.from_settings(alias, settings)
        hub, driver = hubs.load(config.hub), drivers.load()
        if hub.IS_GREEN:
            driver.make_green(hub)
        with _lock:
            pool = _find(alias, settings)
            if pool is None:
                identity = {key: settings.get(key) for key in _IDENTITY}
                identity["OPTIONS"] = dict(identity["OPTIONS"] or {})
                pool = Pool(alias, config, hub, driver)
                _pools.setdefault(alias, []).append((identity, pool))
    return pool


def _find(alias: str, settings: Mapping[str, Any]) -> Pool | None:
    for identity, pool in _pools.get(alias, ()):
        if all(settings.get(key) == value for key, value in identity.items()):
            return pool
    return None


def pools() -> list[Pool]:
    """Every pool of this process."""
    return [pool for entries in list(_pools.values()) for _, pool in entries]


def drop_idle(alias: str) -> None:
    """Close the connections to *alias* that nobody uses."""
    for _, pool in list(_pools.get(alias, ())):
        pool.drop_idle()


def close(alias: str) -> None:
    """Close the pools of *alias*; the next checkout makes a new one.

    Returns when the server has let go of every connection that was idle.
    """
    with _lock:
        entries = _pools.pop(alias, [])
    for _, pool in entries:
        pool.close()


def _at_exit() -> None:
    for pool in pools():
        pool.close(wait=False)


def _start_empty() -> None:
    """In a forked child: the parent's connections are not ours to use, nor to close."""
    global _lock
    _lock = threading.Lock()
    _inherited.append(dict(_pools))
    _pools.clear()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_empty)
