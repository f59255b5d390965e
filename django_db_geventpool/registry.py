"""Which pool serves which database alias in this process."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable
from operator import itemgetter
from typing import TYPE_CHECKING

from . import drivers, hubs
from .config import PoolConfig, hide_secrets
from .drivers import Connection
from .pool import Pool

if TYPE_CHECKING:
    from .backends.base import PooledDatabaseWrapper

# What makes two entries of DATABASES reach the server in the same way. The password is not part
# of it: it may be rotated, and each physical connect reads it afresh.
_IDENTITY = ("NAME", "USER", "HOST", "PORT", "OPTIONS")
_identity = itemgetter(*_IDENTITY)


class Opener:
    """Opens the connections of one alias and its copies with equal settings.

    Each time with a wrapper made for it, so that no borrower is used, or kept alive, by the
    greenlet that connects.
    """

    def __init__(self, wrapper: PooledDatabaseWrapper) -> None:
        self._class = type(wrapper)
        self._alias = wrapper.alias
        self.settings = wrapper.settings_dict
        *place, options = _identity(self.settings)
        self._identity = (*place, dict(options))

    def serves(self, wrapper: PooledDatabaseWrapper) -> bool:
        return type(wrapper) is self._class and _identity(wrapper.settings_dict) == self._identity

    def connect(self) -> Connection:
        return self._wrapper().open_physical()

    def set_up(self, connection: Connection) -> None:
        self._wrapper().set_up_physical(connection)

    def _wrapper(self) -> PooledDatabaseWrapper:
        # The dictionary is the site's, who may change it: what it was found by counts.
        return self._class({**self.settings, **dict(zip(_IDENTITY, self._identity))}, self._alias)


class _Entry:
    """The pool of one alias, and the kinds of connection that were asked of it."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self._openers: list[Opener] = []

    def opener(self, wrapper: PooledDatabaseWrapper) -> Opener:
        for opener in self._openers:
            if opener.serves(wrapper):
                opener.settings = wrapper.settings_dict  # the password of whoever asked last
                return opener
        self._openers.append(Opener(wrapper))
        return self._openers[-1]


# Only held for a moment and never across I/O or a switch.
_lock = threading.Lock()
_entries: dict[str, _Entry] = {}
# What wants to know when this process opens a pool.
_watchers: list[Callable[[Pool], object]] = []
# Those of the parent process: its greenlets, which the child has too, may stand in their midst.
_inherited: list[object] = []


def pool_for(wrapper: PooledDatabaseWrapper) -> tuple[Pool, Opener]:
    """The pool of the wrapper's alias, made on first use, and what opens its connections there.

    All wrappers of an alias share its limit, copies (``connection.copy()``) included. A copy with
    other settings, a test database for example, never gets a connection of the original.

    :raises ImproperlyConfigured: for settings that the pool cannot work with.
    """
    entry = _entries.get(wrapper.alias)
    if entry is None or entry.pool.closed:
        entry = _open(wrapper)
    return entry.pool, entry.opener(wrapper)


def _open(wrapper: PooledDatabaseWrapper) -> _Entry:
    alias = wrapper.alias
    config = PoolConfig.from_settings(alias, hide_secrets(wrapper.settings_dict))
    hub, driver = hubs.load(config.hub), drivers.load()
    if hub.IS_GREEN:
        driver.make_green(hub)
    with _lock:
        entry = _entries.get(alias)
        if entry is None or entry.pool.config != config:
            entry = _entries[alias] = _Entry(Pool(alias, config, hub, driver))
        # Else the same one again: what is still held of it counts within the limit.
        entry.pool.open()
    for watcher in _watchers:
        watcher(entry.pool)
    return entry


def pools() -> list[Pool]:
    """Those of this process: of each alias that has been used, closed ones included."""
    return [entry.pool for entry in list(_entries.values())]


def watch(watcher: Callable[[Pool], object]) -> None:
    """Call *watcher* with each pool that is there, and from now on with each that is opened.

    In this process and in its children, until it ends. It must not wait.
    """
    if watcher not in _watchers:
        _watchers.append(watcher)
    for pool in pools():
        watcher(pool)


def close(alias: str) -> None:
    """Close the pool of *alias*; the next checkout opens it again.

    Returns when the server has let go of its connections, or after ``pool.CLOSE_TIMEOUT``.
    """
    entry = _entries.get(alias)
    if entry is not None:
        entry.pool.close()


def _at_exit() -> None:
    for entry in list(_entries.values()):
        entry.pool.say_goodbye()


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
