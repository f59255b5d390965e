"""Where the processes of a group leave their snapshots: a directory with a file for each.

A process holds a lock for as long as it lives, however it ends, and replaces its file as a whole.
When it has ended, whoever finds that out moves what it had counted to ``ended.json``, under the
name of the file, and removes the file after that. The name is kept for some minutes. So whoever
reads the files first and ``ended.json`` then counts each process once.

A process that is silent but still there is shown as such: its hub may be blocked.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from ..config import make_private
from ..metrics import Pools
from .snapshot import SPAN, Snapshot, add_up, as_json, ended, pools_of, read_pools

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
#: Of so many that have ended it is told how their last minutes went.
_REMEMBERED = 50


class Reading(NamedTuple):
    """What a group has told."""

    living: list[Snapshot]
    ended: list[Snapshot]
    """Of those that were found to have ended in the last minutes."""
    before: Mapping[str, Pools]
    """What those before had counted, by the name of the pool."""
    trouble: str = ""
    """Why this process cannot tell the others, or be told by them, if so."""

    def totals(self) -> dict[str, Pools]:
        return add_up([*map(pools_of, self.living), *map(pools_of, self.ended), self.before])


class _Ended(NamedTuple):
    """The content of ``ended.json``."""

    lately: dict[str, Snapshot]
    """By the name of the file that each had."""
    before: Mapping[str, Pools]


class Group:
    """One process's place in it. It joins with its first snapshot.

    :param name: of this process, as no other one of the group has ever been called.
    :raises OSError: if the directory cannot be used, or could be written by somebody else.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._file = folder / f"{name}.{FORMAT}"
        self._lock: int | None = None
        make_private(folder)

    def is_lost(self) -> bool:
        """Whether somebody has removed the directory, and so the lock by which it lives."""
        is_unlocked = self._lock is not None and os.fstat(self._lock).st_nlink == 0
        return is_unlocked or not self._folder.exists()

    def leave(self) -> None:
        """As the end of the process does it; in a forked child, which has its parent's lock too."""
        lock, self._lock = self._lock, None
        if lock is not None:
            posix.close(lock)  # gevent patches os.close() with one that may put it off

    def publish(self, snapshot: Snapshot) -> None:
        """:raises OSError:"""
        if self._lock is None and fcntl is not None:
            self._lock = _lock(_lock_of(self._file))
            _, dead = self._look()
            self._bury(dead)
        self._write(self._file, snapshot)

    def read(self) -> Reading:
        """What the others have published, and who has ended.

        :raises OSError:
        """
        living, dead = self._look()
        with suppress(OSError):  # a full disk: publish() tells of that
            if self._bury(dead):
                living, dead = self._look()
        lately, before = self._ended()
        for path, snapshot in dead.items():  # being buried, or where there are no locks
            lately.setdefault(path.name, ended(snapshot, snapshot["at"]))
        recent = [each for each in lately.values() if _is_recent(each)]
        older = [each for each in lately.values() if not _is_recent(each)]
        return Reading(living, recent, add_up([before, *map(pools_of, older)]))

    def _look(self) -> tuple[list[Snapshot], dict[Path, Snapshot]]:
        """What those who live have published, and those who have ended."""
        files = self._files()
        dead = {path: each for path, each in files.items() if not _lives(path, each)}
        return [each for path, each in files.items() if path not in dead], dead

    def _bury(self, dead: Collection[Path]) -> bool:
        """Move what has ended to ``ended.json``; whether something has been."""
        if not dead:
            return False
        with _alone(self._folder / "lock") as is_alone:
            if is_alone:
                # Read again: its last word may have come before the look at its lock.
                self._move({path: last for path in dead if (last := self._read(path))})
        return is_alone

    def _move(self, dead: Mapping[Path, Snapshot]) -> None:
        """One process at a time does it."""
        now = time.time()
        lately, before = self._ended()
        for path, snapshot in dead.items():
            lately.setdefault(path.name, ended(snapshot, now))
        buried = [name for name in lately if self._folder / name not in dead]
        kept = [name for name in buried if _is_recent(lately[name])][-_REMEMBERED:]
        old = [lately.pop(name) for name in buried if name not in kept]
        before = add_up([before, *map(pools_of, old)])
        content = {"lately": lately, "before": as_json(before)}
        self._write(self._folder / _ENDED, content)
        for path in dead:
            path.unlink(missing_ok=True)
            _lock_of(path).unlink(missing_ok=True)

    def _files(self) -> dict[Path, Snapshot]:
        """Those of the others."""
        paths = self._folder.glob(f"*.{FORMAT}")
        others = (path for path in paths if path != self._file and path.name != _ENDED)
        return {path: found for path in others if (found := self._read(path))}

    def _read(self, path: Path) -> Snapshot | None:
        """None if it was removed since: then it is in ``ended.json``; or if a crash of the machine
        has cut it short."""
        with suppress(FileNotFoundError, ValueError):
            return json.loads(path.read_bytes())  # type: ignore[no-any-return]
        return None

    def _ended(self) -> _Ended:
        try:
            found = json.loads((self._folder / _ENDED).read_bytes())
        except (FileNotFoundError, ValueError):
            return _Ended({}, {})
        return _Ended(found["lately"], read_pools(found["before"]))

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


def _is_recent(snapshot: Snapshot) -> bool:
    return bool(time.time() - snapshot["found_at"] < SPAN)


def _lock_of(file: Path) -> Path:
    return file.with_name(f"{file.name[: -len(FORMAT)]}lock")


def _lock(path: Path) -> int:
    """A descriptor: the lock is held until it is closed, or the process is no more."""
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
