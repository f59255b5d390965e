"""The locked versions: ``uv.lock`` for nearly all, and files for what it cannot hold.

``python -m matrix.lock`` (``tox -e lock``) takes the newest versions that the metadata admits; with
``--check`` it changes nothing, and exits with 1 if a lock does not fit what it was made from.

A ``min`` cell runs on the lowest versions, which uv cannot keep in the same lock as the newest. The
benchmarks compare with packages that exclude each other, one of them by the name of this project.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from . import ROOT

#: The drivers that have a cell on the lowest versions, and the Python of these cells.
MIN_DRIVERS = ("psycopg2", "psycopg3")
MIN_PYTHON = "3.9"

#: A ``.in`` for each environment of the benchmarks, and beside it what it came to.
BENCHMARKS = ROOT / "benchmarks" / "locks"
BENCHMARKS_PYTHON = "3.12"


def min_lock(driver: str) -> Path:
    return ROOT / "matrix" / "locks" / f"min-{driver}.txt"


def uv(*arguments: str) -> bool:
    return subprocess.run(["uv", *arguments], cwd=ROOT).returncode == 0


def compiled() -> dict[Path, tuple[str, ...]]:
    """The files, each with what ``uv pip compile`` makes it from."""
    lowest = ("--resolution=lowest-direct", f"--python-version={MIN_PYTHON}")
    locks: dict[Path, tuple[str, ...]] = {
        min_lock(driver): ("pyproject.toml", "--extra=gevent", f"--extra={driver}", "--group=test")
        + lowest
        for driver in MIN_DRIVERS
    }
    for source in sorted(BENCHMARKS.glob("*.in")):
        name = source.relative_to(ROOT).as_posix()
        python = f"--python-version={BENCHMARKS_PYTHON}"
        locks[source.with_suffix(".txt")] = (name, "--universal", python)
    return locks


def compile_into(output: Path, arguments: tuple[str, ...]) -> bool:
    """Write what is to be installed; versions that *output* has and that still fit stay."""
    return uv(
        *("pip", "compile", "--quiet", *arguments),
        *("--generate-hashes", "--no-header", f"--output-file={output}"),
    )


def refresh() -> bool:
    for lock in compiled():
        lock.unlink(missing_ok=True)
    return uv("lock", "--upgrade") and all(compile_into(*each) for each in compiled().items())


def fits() -> bool:
    return uv("lock", "--check") and all(lock_fits(*each) for each in compiled().items())


def lock_fits(lock: Path, arguments: tuple[str, ...]) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        again = Path(folder) / lock.name
        if lock.exists():
            shutil.copy(lock, again)
            if compile_into(again, arguments) and again.read_bytes() == lock.read_bytes():
                return True
    print(f"error: {lock.relative_to(ROOT)} does not fit {arguments[0]}: tox -e lock")
    return False


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m matrix.lock", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing")
    return 0 if (fits() if parser.parse_args(arguments).check else refresh()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
