"""Where Django's own tests come from: the sdist of the very version that is installed."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import django


class SourceUnavailable(Exception):
    """There is no suite to run; the message is for a person."""


def folder() -> Path:
    """A place of this environment's own, for the sdist and for logs."""
    path = Path(sys.prefix) / "djangosuite"
    path.mkdir(exist_ok=True)
    return path


def tests() -> Path:
    """Django's ``tests`` folder, fetched on first use by pip, from the index that pip is told of.

    pip checks the file against the index's hash; here its version is checked.

    :raises SourceUnavailable: if pip cannot fetch it, or it is something else.
    """
    version = django.get_version()
    home = folder() / f"django-{version}"
    if not home.exists():
        with tempfile.TemporaryDirectory(dir=folder()) as temporary:
            os.replace(_unpack(_download(version, temporary), version), home)
    return home / "tests"


def _download(version: str, to: str) -> Path:
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    what = ["--no-deps", "--no-binary", "Django", "--dest", to, f"Django=={version}"]
    if subprocess.run([*pip, *what], stdin=subprocess.DEVNULL).returncode:
        raise SourceUnavailable(f"pip could not fetch the sdist of Django {version}; see above.")
    (sdist,) = Path(to).glob("*.tar.gz")
    return sdist


def _unpack(sdist: Path, version: str) -> Path:
    into = sdist.parent / "unpacked"
    with tarfile.open(sdist) as archive:
        if hasattr(tarfile, "data_filter"):  # not in the first releases of Python 3.10 and 3.11
            archive.extractall(into, filter="data")
        else:
            archive.extractall(into)
    (top,) = into.iterdir()
    told = (top / "PKG-INFO").read_text(encoding="utf-8").splitlines()
    if f"Version: {version}" not in told or not (top / "tests" / "runtests.py").exists():
        raise SourceUnavailable(f"What pip fetched is not the sdist of Django {version}.")
    return top


def modules(tests: Path) -> list[str]:
    """What runtests.py runs if it is told nothing, in an order that no file system decides."""
    left_out = {"gis_tests", "import_error_package", "test_runner_apps"}
    found = {path.parent.name for path in tests.glob("*/__init__.py")}
    return sorted(name for name in found - left_out if "." not in name)
