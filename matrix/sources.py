"""What a run is made on: the sources, by their content, and the machine."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from collections.abc import Iterator
from pathlib import Path

from . import ROOT

#: What a cell's tests depend on. The page is made of results, and README.md holds a table of them:
#: neither may make them look old.
SOURCES = (
    *("django_db_geventpool", "tests", "matrix", "demo", "loadtests"),
    *("tox.ini", "pyproject.toml", "uv.lock"),
)
_NO_CELLS = ("docs", "harness", "servers")  # their tests run in no cell
_LEFT_OUT = {"__pycache__", "report", *_NO_CELLS}
_UNSEEN = (":!matrix/report", *(f":!tests/{name}" for name in _NO_CELLS))


def files(root: Path = ROOT) -> Iterator[Path]:
    for name in SOURCES:
        path = root / name
        if path.is_file():
            yield path
        for folder, folders, names in os.walk(path):
            folders[:] = sorted(set(folders) - _LEFT_OUT)
            yield from (Path(folder) / each for each in sorted(names))


def fingerprint(root: Path = ROOT) -> str:
    """The same for the same sources and locks, committed or not."""
    digest = hashlib.sha256()
    for path in files(root):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(root).as_posix()} {content}\n".encode())
    return digest.hexdigest()[:16]


def commit(root: Path = ROOT) -> str:
    """The commit, ``with changes`` if the sources are not those of it; empty where git is not."""
    try:
        head = _git(root, "rev-parse", "--short=12", "HEAD")
        changed = _git(root, "status", "--porcelain", "--", *SOURCES, *_UNSEEN)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f"{head} with changes" if changed else head


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def cores() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def system() -> str:
    """The operating system and the kind of processor; not the name of the machine."""
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (AttributeError, OSError, KeyError):  # Python 3.9, or not Linux
        name = ""
    kernel = f"{platform.system()} {platform.release()}"
    return ", ".join(filter(None, (name, kernel, platform.machine())))
