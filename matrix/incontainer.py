"""``matrix/run``: one cell of the matrix in a container.

It builds the image of the cell's interpreter (``matrix/Dockerfile``) with this repository in it,
and has tox run the cell there. What tox downloads and builds is kept in a volume.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

from matrix import ABSENT, ROOT, split
from matrix.cells import Cell, cells
from matrix.processes import Absent, Failed

NAME = "django-db-geventpool"
VOLUME = f"{NAME}-cache"

#: What a cell needs of Debian, by what its name says. PyPy has no wheels of gevent, cffi and
#: psycopg2cffi, which are built, nor one that brings libpq for psycopg 3.
PACKAGES = {
    "pypy": ("file", "g++", "gcc", "libc6-dev", "libffi-dev", "libpq-dev", "make"),
    "postgis": ("postgresql-postgis",),
    "pgbouncer": ("pgbouncer",),
}


def find(name: str) -> Cell:
    for cell in cells():
        if cell.name == name:
            return cell
    raise Failed(f"There is no cell {name!r}; python -m matrix.cells lists those that there are.")


def check_engine() -> None:
    """:raises Absent: where no container engine answers."""
    try:
        asked = subprocess.run(["docker", "version"], capture_output=True, text=True)
    except FileNotFoundError:
        raise Absent("There is no docker command on PATH, and so no container engine.") from None
    if asked.returncode:
        reason = (asked.stderr.strip().splitlines() or ["docker version gave no reason"])[-1]
        raise Absent(f"No container engine answers ({reason}).")


def base_image(cell: Cell) -> str:
    """The image that PYTHON_IMAGE or PYPY_IMAGE names, else Docker's own for this interpreter.

    :raises Absent: where the named one holds another interpreter.
    """
    kind, _, minor = cell.interpreter.partition("3.")
    variable = f"{kind.upper()}_IMAGE"
    image = os.environ.get(variable)
    if not image:
        return f"{kind}:3.{minor}-slim"
    command = ["docker", "run", "--rm", "--entrypoint", "sh", image, "-c"]
    command += [f"command -v {cell.interpreter}"]
    asked = subprocess.run(command, stdout=subprocess.DEVNULL)
    if asked.returncode:
        raise Absent(
            f"The image {image}, which {variable} names, has no {cell.interpreter} for "
            f"{cell.name}: name one that has, or unset {variable} for {kind}:3.{minor}-slim."
        )
    return image


def packages(cell: Cell) -> list[str]:
    """Of Debian, which the cell needs in its image."""
    return [package for word in PACKAGES if word in cell.name for package in PACKAGES[word]]


def build(cell: Cell, base: str) -> str:
    """The id of the image, which a build at the same time for the same tag does not change.

    :raises Failed: after what the engine says about it.
    """
    command = ["docker", "build", f"--file={ROOT / 'matrix' / 'Dockerfile'}", "--target=cell"]
    command += [f"--tag={NAME}-cell:{cell.python}"]
    command += [f"--build-arg=BASE={base}", f"--build-arg=PACKAGES={' '.join(packages(cell))}"]
    if os.environ.get("PIP_INDEX_URL"):
        command += ["--secret=id=pip_index_url,env=PIP_INDEX_URL"]  # there may be a password in it
    if os.environ.get("CA_FILE"):
        command += [f"--secret=id=ca,src={os.environ['CA_FILE']}"]
    with tempfile.TemporaryDirectory() as folder:
        image_id = Path(folder) / "id"
        built = subprocess.run(
            [*command, f"--iidfile={image_id}", str(ROOT)],
            stdout=sys.stderr,
            env={**os.environ, "DOCKER_BUILDKIT": "1"},
        )
        if built.returncode:
            raise Failed(f"The image for {cell.name} could not be built; see above.")
        return image_id.read_text()


def run(cell: Cell, image: str, arguments: list[str]) -> NoReturn:
    """Become the engine's client, whose exit code is tox's, and which passes signals on."""
    # An init, as PID 1: tests look whether processes have gone, so somebody must reap them.
    command = ["docker", "run", "--rm", "--init", "--shm-size=256m"]
    command += [f"--volume={VOLUME}:/home/cell/.cache"]
    if sys.stdin.isatty() and sys.stdout.isatty():
        command += ["--interactive", "--tty"]
    if os.environ.get("CA_FILE"):
        # The engine takes a relative one for the name of a volume.
        command += [f"--volume={os.path.abspath(os.environ['CA_FILE'])}:/run/ca.crt:ro"]
        command += ["--env=SSL_CERT_FILE=/run/ca.crt"]
    if os.environ.get("DATABASE_URL"):
        command += ["--env=DATABASE_URL"]
    command += [image, "run", "-e", cell.name]
    if arguments:
        command += ["--", *arguments]
    sys.stdout.flush()
    os.execvp("docker", command)


def parse(arguments: list[str]) -> tuple[str, list[str]]:
    """The name of the cell, and what is pytest's."""
    parser = argparse.ArgumentParser(
        prog="matrix/run",
        usage="%(prog)s [-h] CELL [-- PYTEST ARGUMENT ...]",
        description="Run one cell of the matrix in a container; python -m matrix.cells lists them.",
        epilog="The exit code is tox's; 2 where the cell could not be started, and 77 where this "
        "machine cannot run it, for which REQUIRE_CONTAINERS=1 makes a 2. The environment: "
        "PYTHON_IMAGE and PYPY_IMAGE, a base image in place of python:3.X-slim and pypy:3.X-slim; "
        "CA_FILE, certificate authorities to trust; PIP_INDEX_URL, where pip finds uv; "
        "DATABASE_URL, a server that the container can reach.",
    )
    parser.add_argument("cell", metavar="CELL", help="as in py313-django52-psycopg3")
    ours, for_pytest = split(arguments)
    return parser.parse_args(ours).cell, for_pytest


def main(arguments: list[str]) -> int:
    name, for_pytest = parse(arguments)
    try:
        cell = find(name)
        check_engine()
        run(cell, build(cell, base_image(cell)), for_pytest)
    except Absent as reason:
        required = os.environ.get("REQUIRE_CONTAINERS", "") not in ("", "0")
        print(f"{'error' if required else 'skipped'}: {reason}", file=sys.stderr)
        return 2 if required else ABSENT
    except Failed as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
