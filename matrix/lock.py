"""The locked versions: ``uv.lock`` for all cells but two, and a file for each ``min`` cell.

``python -m matrix.lock`` (``tox -e lock``) takes the newest versions that the metadata admits; with
``--check`` it changes nothing, and exits with 1 if a lock does not fit pyproject.toml any more.

A ``min`` cell runs on the lowest versions, which uv cannot keep in the same lock as the newest.
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


def min_lock(driver: str) -> Path:
    return ROOT / "matrix" / "locks" / f"min-{driver}.txt"


def uv(*arguments: str) -> bool:
    return subprocess.run(["uv", *arguments], cwd=ROOT).returncode == 0


def lowest(driver: str, output: Path) -> bool:
    """Write what a ``min`` cell installs; versions that *output* has and that still fit stay."""
    return uv(
        *("pip", "compile", "--quiet", "pyproject.toml", "--extra=gevent", f"--extra={driver}"),
        *("--group=test", "--resolution=lowest-direct", f"--python-version={MIN_PYTHON}"),
        *("--generate-hashes", "--no-header", f"--output-file={output}"),
    )


def refresh() -> bool:
    for driver in MIN_DRIVERS:
        min_lock(driver).unlink(missing_ok=True)
    return uv("lock", "--upgrade") and all(lowest(each, min_lock(each)) for each in MIN_DRIVERS)


def fits() -> bool:
    return uv("lock", "--check") and all(min_lock_fits(each) for each in MIN_DRIVERS)


def min_lock_fits(driver: str) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        again = Path(shutil.copy(min_lock(driver), folder))
        if lowest(driver, again) and again.read_bytes() == min_lock(driver).read_bytes():
            return True
    print(f"error: {min_lock(driver).relative_to(ROOT)} does not fit pyproject.toml: tox -e lock")
    return False


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m matrix.lock", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing")
    return 0 if (fits() if parser.parse_args(arguments).check else refresh()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
