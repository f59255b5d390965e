"""Publishes this process's snapshot once a second, from its first use of a pool to its end."""

from __future__ import annotations

import atexit
import logging
import os
import time

from ... import registry, watch
from ...hubs import Hub
from ...pool import Pool
from ..metrics import Pools
from .config import MonitorConfig
from .group import Group, Reading, tidy_up
from .snapshot import INTERVAL, Recorder, Snapshot

logger = logging.getLogger("django_db_geventpool")


class Publisher:
    """Of one process: a forked child begins anew."""

    def __init__(self, config: MonitorConfig) -> None:
        self.pid = os.getpid()
        self._recorder = Recorder()
        self._due = 0.0
        self._has_warned = False
        self._group: Group | None = None
        try:
            self._group = Group(config.folder)
            if config.group_dir is None:
                tidy_up(config.folder.parent)
        except OSError as error:
            if config.group_dir is not None:
                raise
            self._warn(error)

    def keep_on(self, hub: Hub) -> None:
        """See to it that the next snapshot is published in time. Never waits."""
        if time.monotonic() > self._due + 3 * INTERVAL:  # else it will be: its timer is set
            self._due = time.monotonic()
            hub.spawn(self._tick, hub)

    def publish(self) -> Snapshot:
        """Now; the snapshot."""
        snapshot = self._recorder.take()
        if self._group is not None and snapshot["pools"]:
            try:
                self._group.publish(snapshot)
            except OSError as error:
                self._warn(error)
        return snapshot

    def read(self) -> Reading:
        """What the group has, this process at this moment included."""
        for pool in registry.pools():
            self.keep_on(pool.hub)
        mine = self.publish()
        if self._group is not None:
            try:
                return self._group.read()
            except OSError as error:
                self._warn(error)
        return Reading([mine], {})

    def _tick(self, hub: Hub) -> None:
        if os.getpid() != self.pid:
            return  # in a child, whose timers are those of its parent
        self.publish()
        self._due = time.monotonic() + INTERVAL
        hub.call_later(INTERVAL, lambda: hub.spawn(self._tick, hub))

    def _warn(self, error: OSError) -> None:
        if not self._has_warned:
            self._has_warned = True
            logger.warning(
                "the pools of this process are not shown to others: %s. "
                "DJANGO_DB_GEVENTPOOL['GROUP_DIR'] names a directory of your own.",
                error,
            )


_config: MonitorConfig | None = None
_publisher: Publisher | None = None


def begin() -> None:
    """Publish what the pools of this process and of its children have, as soon as there is one.

    :raises ImproperlyConfigured: for a setting that cannot be right.
    """
    global _config
    if _config is None:
        _config = MonitorConfig.from_settings()
        watch.remember_requests()
        atexit.register(_at_exit)
        registry.watch(_opened)


def current() -> Publisher:
    """That of this process."""
    global _publisher
    begin()
    assert _config is not None
    if _publisher is None or _publisher.pid != os.getpid():
        _publisher = Publisher(_config)
    return _publisher


def totals() -> dict[str, Pools]:
    """What the group's processes add up to, by the name of the pool."""
    return current().read().totals()


def _opened(pool: Pool) -> None:
    current().keep_on(pool.hub)


def _at_exit() -> None:
    if _publisher is not None and _publisher.pid == os.getpid():
        _publisher.publish()  # what has happened in the last second counts, too
