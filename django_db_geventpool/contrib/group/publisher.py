"""Publishes this process's snapshot once a second, from its first use of a pool to its end."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from contextlib import suppress

from ... import registry, watch
from ...hubs import Hub
from ...pool import Pool
from ..config import MonitorConfig, make_private
from ..metrics import Pools
from .files import Group, Reading, tidy_up
from .snapshot import INTERVAL, Recorder, Snapshot

logger = logging.getLogger("django_db_geventpool")


class Publisher:
    """Of one process. Making one does nothing yet."""

    def __init__(self, config: MonitorConfig) -> None:
        self._config = config
        self._pid = os.getpid()
        self._recorder = Recorder()
        self._lock = threading.Lock()
        self._due = 0.0
        self._chain = 0  # of ticks: a later one ends those before
        self._group: Group | None = None
        self._trouble = ""
        self._has_warned = False

    def keep_on(self, hub: Hub) -> None:
        """See to it that the next snapshot is published in time. Never waits."""
        if time.monotonic() > self._due + 3 * INTERVAL:  # else it will be: its timer is set
            self._due = time.monotonic()
            self._chain += 1
            hub.spawn(self._tick, hub, self._chain)

    def publish(self) -> Snapshot:
        """Now; the snapshot."""
        with self._lock:  # threads take turns, so that none replaces what is newer
            snapshot = self._recorder.take()
            try:
                if snapshot["pools"]:
                    self._joined().publish(snapshot)
                self._trouble = ""
            except OSError as error:
                self._trouble = self._told_of(error)
        return snapshot

    def read(self) -> Reading:
        """What the group has, this process at this moment included."""
        for pool in registry.pools():
            self.keep_on(pool.hub)
        mine, trouble = self.publish(), self._trouble
        try:
            with self._lock:
                group = self._joined()
            others = group.read()
        except OSError as error:
            others, trouble = Reading([], [], {}), self._told_of(error)
        living = [*others.living, *([mine] if mine["pools"] else [])]
        living.sort(key=lambda each: (each["host"], each["started"]))
        return others._replace(living=living, trouble=trouble)

    def end(self) -> None:
        """At the end of the process: what has happened in its last second counts, too."""
        self._recorder.is_last = True  # also if it ticks once more
        self.publish()

    def leave(self) -> None:
        """Tick no more. Also in a forked child, where it is the parent's."""
        self._chain += 1
        if self._group is not None:
            self._group.leave()
            self._group = None

    def _joined(self) -> Group:
        if self._group is not None and self._group.is_lost():
            self._group.leave()
            self._group = None
        if self._group is None:
            folder = self._config.folder
            if self._config.group_dir is None:
                make_private(folder.parent)
                tidy_up(folder.parent)
            self._group = Group(folder, self._recorder.name)
        return self._group

    def _tick(self, hub: Hub, chain: int) -> None:
        if os.getpid() != self._pid or chain != self._chain:
            return  # in a child, whose timers are those of its parent; or another one ticks by now
        try:
            self.publish()
        finally:
            self._due = time.monotonic() + INTERVAL
            with suppress(RuntimeError):  # no thread to be had, at the end of the process above all
                hub.call_later(INTERVAL, lambda: hub.spawn(self._tick, hub, chain))

    def _told_of(self, error: OSError) -> str:
        """A full disk, or a directory of somebody else's, is no reason to fail; told once."""
        if not self._has_warned:
            self._has_warned = True
            logger.warning(
                "the pools of this process are not shown beside those of others: %s. They "
                "meet in %s; DJANGO_DB_GEVENTPOOL['GROUP_DIR'] can name another directory, "
                "one that this user can write to and no other.",
                *(error, self._config.folder),
            )
        return str(error)


_config: MonitorConfig | None = None
# By pid: a forked child begins anew.
_publishers: dict[int, Publisher] = {}


def begin() -> None:
    """Publish what the pools of this process and of its children have, as soon as there is one.

    :raises ImproperlyConfigured: for a setting that cannot be right.
    """
    global _config
    if _config is None:
        _config = MonitorConfig.from_settings()
        watch.remember_requests()
        atexit.register(_at_exit)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_leave_to_parent)
        registry.watch(_opened)


def current() -> Publisher:
    """That of this process."""
    begin()
    assert _config is not None
    pid = os.getpid()
    # Set in one step, so that threads get the same one: each would be counted.
    return _publishers.get(pid) or _publishers.setdefault(pid, Publisher(_config))


def totals() -> dict[str, Pools]:
    """What the group's processes add up to, by the name of the pool."""
    return current().read().totals()


def _opened(pool: Pool) -> None:
    current().keep_on(pool.hub)


def _leave_to_parent() -> None:
    for publisher in _publishers.values():
        publisher.leave()
    _publishers.clear()


def _at_exit() -> None:
    mine = _publishers.get(os.getpid())
    if mine is not None:
        mine.end()
