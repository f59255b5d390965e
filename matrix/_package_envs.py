"""New environments with a wheel in them, and what is done there; see ``matrix.package``.

What they get beside the wheel is what ``uv.lock`` pins. They do not see the repository.
"""

from __future__ import annotations

import email
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Iterator
from ctypes.util import find_library
from dataclasses import dataclass
from pathlib import Path

from . import ROOT
from .addresses import Server
from .processes import Absent, Failed

HERE = Path(__file__).parent
#: The engines that an extra is for; each is used under gevent.
DRIVERS = {
    "psycopg3": ("postgresql_psycopg3", "postgresql_psycopg"),
    "psycopg2": ("postgresql_psycopg2", "postgresql_psycopg"),
    "psycopg2cffi": ("postgresql_psycopg2", "postgresql_psycopg"),
    "postgis": ("postgis",),
}
#: The names that need another extra.
NAMES = {
    "otel": ("contrib.opentelemetry.instrument",),
    "prometheus": ("contrib.prometheus.PoolCollector",),
}
#: Where the newest Django is not for a driver: it takes psycopg2cffi 2.9.0 for too old a psycopg2.
DJANGOS = {"psycopg2cffi": "django52"}
#: Some of the tests. The others are collected, which imports all that they need.
TESTS = "test_installed or test_config or test_docs or test_limit"


def missing(extra: str) -> str:
    """What this machine lacks for an extra; empty if nothing."""
    if extra == "psycopg2cffi":
        headers = Path(sysconfig.get_path("include"), "Python.h").exists()
        if not (headers and shutil.which("pg_config") and shutil.which("cc")):
            return "it is compiled, with the headers of libpq (Debian: gcc, libpq-dev, python3-dev)"
    if extra == "postgis" and find_library("gdal") is None:
        return "GeoDjango needs GDAL (Debian: postgresql-postgis, or gdal-bin)"
    return ""


def extras(wheel: Path) -> list[str]:
    """All that the wheel offers, as its metadata says."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(name)).get_all("Provides-Extra", [])


@dataclass(frozen=True)
class Installation:
    """The wheel with some extras: names imported, engines asked, more names imported."""

    extras: tuple[str, ...]
    hub: str
    wanted: tuple[str, ...]
    environments: Environments

    def __str__(self) -> str:
        return f"[{','.join(self.extras)}]" if self.extras else "no extra"

    def use(self) -> str:
        for extra in self.extras:
            if reason := missing(extra):
                raise Absent(reason)
        groups = (group for extra, group in DJANGOS.items() if extra in self.extras)
        python = self.environments.make(self.extras, *groups)
        where = json.dumps(self.environments.server.django)
        probe = (str(python), "-I", str(HERE / "_package_probe.py"), self.hub, *self.wanted)
        return said(probe, python.parent, where)


def plan(offered: list[str]) -> Iterator[tuple[tuple[str, ...], str, tuple[str, ...]]]:
    """Extras, hub, and engines or names, so that every extra is in one of them."""
    yield (), "threads", ()
    for driver, engines in DRIVERS.items():
        yield ("gevent", driver), "gevent", engines
    yield ("eventlet", "psycopg3"), "eventlet", DRIVERS["psycopg3"]
    for other in offered:
        if other not in (*DRIVERS, "gevent", "eventlet"):
            yield ("gevent", "psycopg3", other), "gevent", NAMES.get(other, ())


def said(command: tuple[str, ...], cwd: Path, told: str = "", **environ: str) -> str:
    """The last line of what a program says; nothing of PYTHONPATH and the like leads it astray.

    :raises Failed: with the end of its output, if it fails.
    """
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL"))}
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**inherited, **environ},
        input=told,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise Failed(f"exit code {done.returncode}\n{done.stdout.strip()[-2000:]}")
    return done.stdout.strip().rpartition("\n")[2]


class Environments:
    """Made in *folder*, with *wheel*, for programs that ask *server*."""

    def __init__(self, folder: Path, wheel: Path, server: Server) -> None:
        self.folder, self.wheel, self.server = folder, wheel, server
        self._made = 0

    def make(self, extras: tuple[str, ...] = (), *groups: str) -> Path:
        """A new one with the wheel, and with the groups of pyproject.toml; its Python."""
        self._made += 1
        folder = self.folder / f"env{self._made}"
        python, pins = folder / "bin" / "python", folder / "pins.txt"
        wheel = f"{self.wheel}[{','.join(extras)}]" if extras else str(self.wheel)
        of_project = [f"--group={group}" for group in groups]
        of_file = [f"--group={ROOT / 'pyproject.toml'}:{group}" for group in groups]
        said(("uv", "venv", "--quiet", f"--python={sys.executable}", str(folder)), ROOT)
        export = ("uv", "export", "--quiet", "--frozen", "--all-extras", "--no-emit-project")
        said((*export, *of_project, "--no-hashes", f"--output-file={pins}"), ROOT)
        install = ("uv", "pip", "install", "--quiet", f"--python={python}")
        said((*install, f"--constraints={pins}", wheel, *of_file), self.folder)
        return python

    def installations(self) -> list[Installation]:
        return [Installation(*each, self) for each in plan(extras(self.wheel))]

    def types(self) -> str:
        """mypy on a consumer, in an environment without any stubs."""
        python = self.make()
        shutil.copy(HERE / "_package_consumer.py", python.parent / "consumer.py")
        mypy = (sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir=/dev/null")
        return said((*mypy, f"--python-executable={python}", "consumer.py"), python.parent)

    def tests(self, sdist: Path) -> str:
        """The source distribution's tests, where the package is the wheel's alone."""
        folder = self.folder / "sdist"
        with tarfile.open(sdist) as archive:
            archive.extractall(folder, filter="data")
        (root,) = folder.iterdir()
        shutil.rmtree(root / "django_db_geventpool")
        python = self.make(("gevent", "psycopg3"), "test")
        pytest = (str(python), "-m", "pytest", "-q", "-r", "N", "-k", TESTS)
        return said(pytest, root, DATABASE_URL=self.server.url)
