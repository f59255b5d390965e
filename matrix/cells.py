"""The cells of the matrix: which Python, Django, driver, hub and server are tested together.

This is the one place that says so. ``tox.ini`` has an environment for each cell, ``uv.lock`` the
versions, ``matrix/run`` a container, the report a square; ``tests/harness/test_matrix.py`` compares
them.

The core is every Python with every Django and driver, but for what EXCLUDED says. To it come some
cells with another hub or server, where the rest of the cell is not what matters.

``python -m matrix.cells`` prints the names, with ``--excluded`` what is left out and why.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

PYTHONS = ("py39", "py310", "py311", "py312", "py313", "py314", "pypy39", "pypy311")
DJANGOS = ("django42", "django50", "django51", "django52", "django60", "django61")
DRIVERS = ("psycopg2", "psycopg3", "psycopg2cffi")
VERSIONS = ("pg14", "pg15", "pg16", "pg17", "pg18")
SERVERS = (*VERSIONS, "postgis", "pgbouncer")


@dataclass(frozen=True)
class Cell:
    """One combination; its name is that of its tox environment."""

    python: str
    django: str
    driver: str
    variant: str = ""
    """``eventlet``, a server, ``min`` for the lowest versions; empty: gevent, newest of all."""

    @property
    def name(self) -> str:
        return "-".join(filter(None, (self.python, self.django, self.driver, self.variant)))

    @property
    def may_fail(self) -> bool:
        """Whether a failure is shown, but is none of the matrix."""
        return self.django == "djangomain"

    @property
    def interpreter(self) -> str:
        """The command that tox looks for on PATH: ``python3.12``, ``pypy3.11``."""
        kind, _, minor = self.python.partition("3")
        return f"{'pypy' if kind == 'pypy' else 'python'}3.{minor}"


@dataclass(frozen=True)
class Exclusion:
    """Cells that cannot be, by what they have in common. An empty tuple stands for all."""

    reason: str
    link: str
    pythons: tuple[str, ...] = ()
    djangos: tuple[str, ...] = ()
    drivers: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()

    def covers(self, cell: Cell) -> bool:
        return all(
            not names or name in names
            for name, names in (
                (cell.python, self.pythons),
                (cell.django, self.djangos),
                (cell.driver, self.drivers),
                (cell.variant, self.variants),
            )
        )


_DJANGO_FAQ = (
    "https://docs.djangoproject.com/en/stable/faq/install/"
    "#what-python-version-can-i-use-with-django"
)
_CPYTHONS = tuple(name for name in PYTHONS if not name.startswith("pypy"))
_PYPYS = tuple(name for name in PYTHONS if name.startswith("pypy"))

#: The first that covers a cell tells why it is not in the matrix.
EXCLUDED = (
    Exclusion(
        "psycopg2cffi is psycopg2 for PyPy; CPython has psycopg2 itself",
        "https://github.com/chtd/psycopg2cffi#readme",
        pythons=_CPYTHONS,
        drivers=("psycopg2cffi",),
    ),
    Exclusion(
        "psycopg2 is an extension of CPython; PyPy has psycopg2cffi",
        "https://www.psycopg.org/docs/install.html#prerequisites",
        pythons=_PYPYS,
        drivers=("psycopg2",),
    ),
    Exclusion(
        "Django 5.0 and newer need Python 3.10",
        _DJANGO_FAQ,
        pythons=("py39", "pypy39"),
        djangos=("django50", "django51", "django52", "django60", "django61"),
    ),
    Exclusion(
        "Django 6.0 and newer need Python 3.12",
        _DJANGO_FAQ,
        pythons=("py310", "py311", "pypy311"),
        djangos=("django60", "django61"),
    ),
    Exclusion(
        'psycopg 3 fails in the ctypes of PyPy 3.9: "cannot create weak reference"',
        "https://github.com/pypy/pypy/issues/3882",
        pythons=("pypy39",),
        drivers=("psycopg3",),
    ),
    Exclusion(
        "Django 6.1 needs PostgreSQL 15",
        "https://docs.djangoproject.com/en/6.1/releases/6.1/",
        djangos=("django61",),
        variants=("pg14",),
    ),
)

_BOTH = ("psycopg2", "psycopg3")

#: Cells besides the core, as factors whose product is meant.
MORE: tuple[tuple[tuple[str, ...], ...], ...] = (
    (("py39",), ("django42",), _BOTH, ("eventlet", "min")),
    (("py312",), ("django42", "django52"), _BOTH, ("eventlet",)),
    (("py313",), ("django61",), _BOTH, ("eventlet",)),
    (("py312",), ("django52", "django61"), _BOTH, VERSIONS),
    (("py312",), ("django52",), _BOTH, ("postgis", "pgbouncer")),
    (("py313",), ("django61",), _BOTH, ("postgis", "pgbouncer")),
    (("py314",), ("djangomain",), ("psycopg3",), ("",)),
)


def candidates() -> Iterator[Cell]:
    """Every cell that there would be without an exclusion."""
    for python, django, driver in product(PYTHONS, DJANGOS, DRIVERS):
        yield Cell(python, django, driver)
    for factors in MORE:
        for python, django, driver, variant in product(*factors):
            yield Cell(python, django, driver, variant)


def why_not(cell: Cell) -> Exclusion | None:
    """What excludes the cell, if anything does."""
    return next((each for each in EXCLUDED if each.covers(cell)), None)


def cells() -> list[Cell]:
    """The matrix."""
    return [cell for cell in candidates() if why_not(cell) is None]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m matrix.cells", description="Print the names of the cells."
    )
    parser.add_argument(
        "--excluded", action="store_true", help="those that cannot be, with the reason and a link"
    )
    if parser.parse_args(arguments).excluded:
        for cell in candidates():
            exclusion = why_not(cell)
            if exclusion is not None:
                print(f"{cell.name}: {exclusion.reason} ({exclusion.link})")
    else:
        for cell in cells():
            print(cell.name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
