"""Results of cells that have never run, of every kind, for the tests of the report."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

from matrix.cells import Cell, candidates, why_not
from matrix.record import Record, Run
from matrix.results import FAILED, PASSED, SKIPPED, Result, Tests

RUN = Run(
    fingerprint="0123456789abcdef",
    commit="2972150aa0be",
    date="2026-01-02 03:04 UTC",
    cores=2,
    system="Debian GNU/Linux 12 (bookworm), Linux 6.1, x86_64",
    jobs=2,
    seconds=3725,
)
EVIL = "<script>document.title = 'evil'</script><img src=x onerror=\"document.title = 'evil'\">"
LOG = f"""\
tests/test_pool.py ..F.
=================================== FAILURES ===================================
E   AssertionError: {EVIL}
FAILED tests/test_pool.py::test_a_connection_that_comes_back_is_lent_again - Assertion
=========== 1 failed, 380 passed in 74.13s (0:01:14) ==========="""
SKIPS = {
    "this server has no PostGIS: https://postgis.net/documentation/getting_started/": 2,
    "not installed: locust, gunicorn": 7,
}


def versions(cell: Cell) -> dict[str, str]:
    return {
        "Python": "3.12.12 (CPython)",
        "Django": "5.2.9",
        cell.driver: "3.3.1",
        "PostgreSQL": "18.1",
    }


def result(cell: Cell, status: str) -> Result:
    tests = Tests(passed=381, skipped=9, versions=versions(cell), skips=SKIPS)
    if status == PASSED:
        return Result(cell.name, PASSED, seconds=74.2, tests=tests)
    if status == SKIPPED:
        return Result(cell.name, SKIPPED, f"{cell.interpreter} is not on PATH")
    tests = Tests(380, 1, 9, versions(cell), SKIPS, {f"tests.test_pool.{EVIL}": EVIL})
    return Result(cell.name, FAILED, f"1 of 381 tests failed {EVIL}", 80, tests, LOG)


def record(*more: Cell, leave_out: int = 0, every: str = "", partial: bool = False) -> Record:
    """Of the matrix as it is and *more*: with some of each status, or all of the status *every*.

    :param leave_out: so many cells have not run.
    """
    all_of_them = [*candidates(), *more]
    cells = [cell for cell in all_of_them if why_not(cell) is None]
    results = {}
    for number, cell in enumerate(cells[: len(cells) - leave_out]):
        status = every or {17: FAILED, 40: FAILED, 60: SKIPPED}.get(number % 97, PASSED)
        if cell.may_fail and not every:
            status = FAILED
        made = result(cell, status)
        results[cell.name] = replace(made, arguments=("-k", EVIL)) if partial else made
    return Record(RUN, all_of_them, results)


def many() -> list[Cell]:
    """Cells besides the matrix, for more than 200 in all."""
    core = product(("py315", "py316", "py317"), ("django52", "django60", "django61"))
    newer = [Cell(python, django, "psycopg3") for python, django in core]
    servers = product(
        ("py310", "py311", "py313", "py314"),
        ("django52",),
        ("psycopg2", "psycopg3"),
        (
            "eventlet",
            "pg14",
            "pg15",
            "pg16",
            "pg17",
            "pg18",
            "postgis",
            "pgbouncer",
            "pg19",
            "pg20",
        ),
    )
    return [*newer, *(Cell(*each) for each in servers)]
