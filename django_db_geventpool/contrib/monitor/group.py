"""Where the processes of a group leave their snapshots: a directory with a file for each.

A file is replaced as a whole, and only by the process that it tells of. When that one has ended,
another one adds what it had counted to ``ended.json``, with the name of the file, and removes the
file after that. So whoever reads the files first and ``ended.json`` then counts each process once.

A process that is silent but still there is shown as such: its hub may be blocked. On another host
(in another container) it counts as ended once it has been silent for a minute.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from ..metrics import Pools
from .config import make_private
from .snapshot import Snapshot, add_up, as_json, pools_of

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows; there what has ended stays in files of its own
    fcntl = None

#: Seconds without a word from a process on another host, after which it counts as ended.
SILENCE = 60.0
#: Seconds after which a directory without a new file is nobody's any more.
_ABANDONED = 3600.0
#: How many names of removed files are remembered: more than can be added while somebody reads.
_REMEMBERED = 1000
_ENDED = "ended.json"


class Reading(NamedTuple):
    living: list[Snapshot]
    ended: dict[str, Pools]
    """What those that have ended had counted, by the name of the pool."""

    def totals(self) -> dict[str, Pools]:
        return add_up([*map(pools_of, self.living), self.ended])


class Group:
    """:raises OSError: if the directory cannot be used, or could be written by somebody else."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        make_private(folder)
        with _locked(folder) as is_ours:
            if is_ours:
                self._bury()

    def publish(self, snapshot: Snapshot) -> None:
        """:raises OSError:"""
        self._write(_file_name(snapshot), snapshot)

    def read(self) -> Reading:
        """:raises OSError:"""
        files = self._files()
        names, ended = self._ended()
        living, others = [], [ended]
        for name, snapshot in files.items():
            if name in names:
                continue
            if _lives(snapshot):
                living.append(snapshot)
            else:
                others.append(_what_is_left(snapshot))
        living.sort(key=lambda each: (each["host"], each["started"]))
        return Reading(living, add_up(others))

    def _bury(self) -> None:
        """Add what has ended to ``ended.json``. One process at a time does it."""
        files = self._files()
        names, ended = self._ended()
        dead = {name: each for name, each in files.items() if not _lives(each)}
        sums = add_up([ended, *(_what_is_left(dead[name]) for name in dead.keys() - set(names))])
        names = [*names, *dead][-_REMEMBERED:]
        if names:
            self._write(_ENDED, {"names": names, "pools": as_json(sums)})
        for name in dead:
            (self.folder / name).unlink(missing_ok=True)

    def _files(self) -> dict[str, Snapshot]:
        found = {}
        for path in self.folder.glob("*.json"):
            if path.name != _ENDED:
                with suppress(FileNotFoundError):  # removed since: then it is in ended.json
                    found[path.name] = json.loads(path.read_bytes())
        return found

    def _ended(self) -> tuple[list[str], dict[str, Pools]]:
        try:
            found = json.loads((self.folder / _ENDED).read_bytes())
        except FileNotFoundError:
            return [], {}
        return found["names"], pools_of(found)

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        # Threads may write at the same time; greenlets do not switch here.
        part = self.folder / f"{name}.{threading.get_ident()}.part"
        try:
            part.write_text(json.dumps(content), "utf-8")
        except FileNotFoundError:  # somebody tidies the temporary directory
            make_private(self.folder)
            part.write_text(json.dumps(content), "utf-8")
        part.replace(self.folder / name)


def tidy_up(base: Path) -> None:
    """Remove the directories of groups that are no more."""
    for folder in base.iterdir():
        with suppress(FileNotFoundError):  # somebody else has just done so
            if time.time() - folder.stat().st_mtime > _ABANDONED:
                shutil.rmtree(folder, ignore_errors=True)


def _file_name(snapshot: Snapshot) -> str:
    return f"{snapshot['host']}-{snapshot['pid']}-{snapshot['started']}.json"


def _what_is_left(snapshot: Snapshot) -> dict[str, Pools]:
    return {name: pools.ended() for name, pools in pools_of(snapshot).items()}


def _lives(snapshot: Snapshot) -> bool:
    if snapshot["host"] != os.uname().nodename:
        return bool(time.time() - snapshot["at"] < SILENCE)
    try:
        os.kill(snapshot["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is another user's
        pass
    return True


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Whether this process is the only one in the block; never waits for that."""
    if fcntl is None:
        yield False
        return
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True
