"""An environment for each lock, made anew when the lock has changed.

A worker runs in a folder that holds all it may import of this repository: the benchmarks and, for
our own contenders, the package. The public one has the same import name, and would else be hidden.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from matrix import ROOT

from .peers import Peer

LOCKS = ROOT / "benchmarks" / "locks"
ENVS = ROOT / ".tox" / "bench-envs"
TAIL = 5


class EnvUnavailable(Exception):
    """An environment cannot be made; the message is for a person."""


@dataclass(frozen=True)
class Env:
    python: Path
    folder: Path
    """Where a worker starts, and so what it can import of this repository."""


def env(peer: Peer, envs: Path = ENVS) -> Env:
    """The environment of *peer*, made if it is not there or not of the present lock.

    :raises EnvUnavailable: where uv is missing or fails.
    """
    venv = envs / peer.lock
    lock = lock_of(peer)
    fingerprint = _fingerprint(lock)
    stamp = venv / "lock.sha256"
    if not stamp.exists() or stamp.read_text() != fingerprint:
        shutil.rmtree(venv, ignore_errors=True)
        python = str(venv / "bin" / "python")
        _uv("venv", "--quiet", f"--python={sys.executable}", str(venv))
        arguments = ("--quiet", "--require-hashes", "--compile-bytecode", f"--python={python}")
        _uv("pip", "sync", *arguments, str(lock))
        stamp.write_text(fingerprint)
    return Env(venv / "bin" / "python", _folder(peer, envs))


def lock_of(peer: Peer) -> Path:
    return LOCKS / f"{peer.lock}.txt"


def _fingerprint(lock: Path) -> str:
    """Of the lock, and of the Python that the environment is made with."""
    return hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()


def _folder(peer: Peer, envs: Path) -> Path:
    names = ["benchmarks", *(["django_db_geventpool"] if peer.ours else [])]
    folder = envs / ("with-ours" if peer.ours else "without-ours")
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        link = folder / name
        if not link.is_symlink():
            link.symlink_to(ROOT / name)
    return folder


def _uv(*arguments: str) -> None:
    try:
        done = subprocess.run(["uv", *arguments], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    except FileNotFoundError:
        raise EnvUnavailable("uv is not installed; tox -e bench has it.") from None
    if done.returncode:
        tail = "\n".join(done.stderr.strip().splitlines()[-TAIL:])
        raise EnvUnavailable(f"uv {' '.join(arguments[:2])} failed; its last words:\n{tail}")
