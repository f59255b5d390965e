"""Where the processes of a group leave their snapshots: a directory with a file for each.

A process holds a lock for as long as it lives, however it ends, and replaces its file as a whole.
When it has ended, another one adds what it had counted to ``ended.json``, with the name of the
file, and removes the file after that. So whoever reads the files first and ``ended.json`` then
counts each process once.

A process that is silent but still there is shown as such: its hub may be blocked.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from ..metrics import Pools
from .config import make_private
from .snapshot import Snapshot, add_up, as_json, pools_of

fcntl: Any
posix: Any
try:
    import fcntl
    import posix
except ImportError:  # Windows: there whoever is silent for long counts as ended
    fcntl = None

#: What the files consist of. Another version of this package may have another one, in files that
#: this one does not see.
FORMAT = "1.json"
_ENDED = f"ended.{FORMAT}"
#: Seconds without a word, after which a process counts as ended where there are no locks.
SILENCE = 60.0
#: Seconds after which a directory without a new file is nobody's any more.
_ABANDONED = 3600.0
#: How many names of removed files are remembered: more than can be added while somebody reads.
_REMEMBERED = 1000


class Reading(NamedTuple):
    living: list[Snapshot]
    ended: dict[str, Pools]
    """What those that have ended had counted, by the name of the pool."""

    def totals(self) -> dict[str, Pools]:
        return add_up([*map(pools_of, self.living), self.ended])


class Group:
    """One process's place in it.

    :param name: of this process, as no other one of the group has ever been called.
    :raises OSError: if the directory cannot be used, or could be written by somebody else.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._file = folder / f"{name}.{FORMAT}"
        make_private(folder)
        self._lock = _lock(_lock_of(self._file))
        with _alone(folder / "lock") as is_alone:
            if is_alone:
                self._bury()

    def leave(self) -> None:
        """As the end of the process does it; in a forked child, which has its parent's lock too."""
        lock, self._lock = self._lock, None
        if lock is not None:
            posix.close(lock)  # gevent patches os.close() with one that may put it off

    def publish(self, snapshot: Snapshot) -> None:
        """:raises OSError:"""
        self._write(self._file, snapshot)

    def read(self) -> Reading:
        """What the others have published, and who has ended.

        :raises OSError:
        """
        files = self._files()
        names, ended = self._ended()
        living, others = [], [ended]
        for path, snapshot in files.items():
            if path.name in names:
                continue
            if _lives(path, snapshot):
                living.append(snapshot)
            else:
                others.append(_what_is_left(snapshot))
        return Reading(living, add_up(others))

    def _bury(self) -> None:
        """Add what has ended to ``ended.json``. One process at a time does it."""
        dead = {path: each for path, each in self._files().items() if not _lives(path, each)}
        names, ended = self._ended()
        new = [_what_is_left(each) for path, each in dead.items() if path.name not in names]
        names = [*names, *(path.name for path in dead)][-_REMEMBERED:]
        if names:
            content = {"names": names, "pools": as_json(add_up([ended, *new]))}
            self._write(self._folder / _ENDED, content)
        for path in dead:
            path.unlink(missing_ok=True)
            _lock_of(path).unlink(missing_ok=True)

    def _files(self) -> dict[Path, Snapshot]:
        """Those of the others."""
        found = {}
        for path in self._folder.glob(f"*.{FORMAT}"):
            if path != self._file and path.name != _ENDED:
                # Removed since: then it is in ended.json. Or cut short by a crash of the machine.
                with suppress(FileNotFoundError, ValueError):
                    found[path] = json.loads(path.read_bytes())
        return found

    def _ended(self) -> tuple[list[str], dict[str, Pools]]:
        try:
            found = json.loads((self._folder / _ENDED).read_bytes())
        except (FileNotFoundError, ValueError):
            return [], {}
        return found["names"], pools_of(found)

    def _write(self, path: Path, content: Mapping[str, Any]) -> None:
        """Nothing switches here, and threads take turns: the publisher's lock."""
        part = path.with_suffix(f".{self._file.stem}.part")
        try:
            part.write_text(json.dumps(content), "utf-8")
            part.replace(path)
        except OSError:
            with suppress(OSError):
                part.unlink()
            raise


def tidy_up(base: Path) -> None:
    """Remove the directories of groups that are no more."""
    for folder in base.iterdir():
        with suppress(FileNotFoundError):  # somebody else has just done so
            if time.time() - folder.stat().st_mtime > _ABANDONED:
                shutil.rmtree(folder, ignore_errors=True)


def _what_is_left(snapshot: Snapshot) -> dict[str, Pools]:
    return {name: pools.ended() for name, pools in pools_of(snapshot).items()}


def _lock_of(file: Path) -> Path:
    return file.with_name(f"{file.name[: -len(FORMAT)]}lock")


def _lock(path: Path) -> int | None:
    """A descriptor: the lock is held until it is closed, or the process is no more."""
    if fcntl is None:
        return None
    lock = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    # Nobody looks before there is a snapshot beside it, so this never has to wait.
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return lock


def _lives(path: Path, snapshot: Snapshot) -> bool:
    if fcntl is None:
        return bool(time.time() - snapshot["at"] < SILENCE)
    try:
        with _lock_of(path).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        pass
    return False


@contextmanager
def _alone(path: Path) -> Iterator[bool]:
    """Whether this process is the only one in the block; never waits for that."""
    if fcntl is None:
        yield False
        return
    with path.open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
            fcntl.flock(lock, fcntl.LOCK_UN)  # a child that was forked meanwhile has it, too
