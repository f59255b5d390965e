"""Publishes this process's snapshot once a second, from its first use of a pool to its end."""

from __future__ import annotations

import atexit
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ... import registry, watch
from ...hubs import Hub
from ...pool import Pool
from ..metrics import Pools
from .config import MonitorConfig, make_private
from .group import Group, Reading, tidy_up
from .snapshot import INTERVAL, Recorder, Snapshot

logger = logging.getLogger("django_db_geventpool")


class Publisher:
    """Of one process. Making one does nothing yet."""

    def __init__(self, config: MonitorConfig) -> None:
        self._config = config
        self._pid = os.getpid()
        self._recorder = Recorder()
        self._due = 0.0
        self._group: Group | None = None
        self._has_warned = False

    def keep_on(self, hub: Hub) -> None:
        """See to it that the next snapshot is published in time. Never waits."""
        if time.monotonic() > self._due + 3 * INTERVAL:  # else it will be: its timer is set
            self._due = time.monotonic()
            hub.spawn(self._tick, hub)

    def publish(self) -> Snapshot:
        """Now; the snapshot."""
        snapshot = self._recorder.take()
        if snapshot["pools"]:
            with self._telling_of_trouble():
                self._joined().publish(snapshot)
        return snapshot

    def read(self) -> Reading:
        """What the group has, this process at this moment included."""
        for pool in registry.pools():
            self.keep_on(pool.hub)
        reading = Reading([self.publish()], {})
        with self._telling_of_trouble():
            reading = self._joined().read()
        return reading

    def _joined(self) -> Group:
        if self._group is None:
            folder = self._config.folder
            if self._config.group_dir is None:
                make_private(folder.parent)
                tidy_up(folder.parent)
            self._group = Group(folder)
        return self._group

    def _tick(self, hub: Hub) -> None:
        if os.getpid() != self._pid:
            return  # in a child, whose timers are those of its parent
        self.publish()
        self._due = time.monotonic() + INTERVAL
        hub.call_later(INTERVAL, lambda: hub.spawn(self._tick, hub))

    @contextmanager
    def _telling_of_trouble(self) -> Iterator[None]:
        """A full disk, or a directory of somebody else's, is no reason to fail; told once."""
        try:
            yield
        except OSError as error:
            if not self._has_warned:
                self._has_warned = True
                logger.warning(
                    "the pools of this process are not shown beside those of others: %s. "
                    "DJANGO_DB_GEVENTPOOL['GROUP_DIR'] can name a directory of the site's own.",
                    error,
                )


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
        registry.watch(_opened)


def current() -> Publisher:
    """That of this process."""
    begin()
    assert _config is not None
    # One step, so that threads get the same one: each would be counted.
    return _publishers.setdefault(os.getpid(), Publisher(_config))


def totals() -> dict[str, Pools]:
    """What the group's processes add up to, by the name of the pool."""
    return current().read().totals()


def _opened(pool: Pool) -> None:
    current().keep_on(pool.hub)


def _at_exit() -> None:
    mine = _publishers.get(os.getpid())
    if mine is not None:
        mine.publish()  # what has happened in the last second counts, too
