"""The two tables of the report: which square is where, and what a person calls it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .cells import DJANGOS, PYTHONS, SERVERS, Cell

_NAMES = {
    "psycopg2": "psycopg2",
    "psycopg3": "psycopg 3",
    "psycopg2cffi": "psycopg2cffi",
    "djangomain": "Django main",
    "": "gevent",
    "min": "lowest versions",
    "postgis": "PostGIS",
    "pgbouncer": "PgBouncer",
}


def called(name: str) -> str:
    """A factor of a cell, in words: ``py312`` is Python 3.12."""
    if name in _NAMES:
        return _NAMES[name]
    for start, word, dotted in (
        ("pypy3", "PyPy 3.", False),
        ("py3", "Python 3.", False),
        ("django", "Django ", True),
        ("pg", "PostgreSQL ", False),
    ):
        rest = name[len(start) :]
        if name.startswith(start) and rest.isdecimal():
            return word + (f"{rest[:-1]}.{rest[-1]}" if dotted else rest)
    return name


def title(cell: Cell) -> str:
    """The cell in words."""
    factors = [cell.python, cell.django, cell.driver, *([cell.variant] if cell.variant else [])]
    return " · ".join(map(called, factors))


@dataclass(frozen=True)
class Row:
    group: str
    name: str
    cells: tuple[Cell | None, ...]
    """One to a column; None where there is no such candidate."""


@dataclass(frozen=True)
class Table:
    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def is_core(cell: Cell) -> bool:
    return cell.django in DJANGOS and not cell.variant


def core(candidates: Sequence[Cell]) -> Table:
    """Pythons and drivers by Django, on gevent and the newest server."""
    return _table(
        "Python, Django and driver",
        [cell for cell in candidates if is_core(cell)],
        row=lambda cell: (called(cell.python), called(cell.driver)),
        column=lambda cell: called(cell.django),
    )


def more(candidates: Sequence[Cell]) -> Table:
    """The others, by hub, server, or what else is particular."""
    return _table(
        "Other hubs, servers and versions",
        sorted((cell for cell in candidates if not is_core(cell)), key=_place),
        row=lambda cell: (f"{called(cell.python)}, {called(cell.django)}", called(cell.driver)),
        column=lambda cell: called(cell.variant),
    )


def _place(cell: Cell) -> tuple[int, str]:
    return (PYTHONS.index(cell.python) if cell.python in PYTHONS else len(PYTHONS), cell.django)


def _table(
    title: str,
    cells: Sequence[Cell],
    row: Callable[[Cell], tuple[str, str]],
    column: Callable[[Cell], str],
) -> Table:
    """Rows come in the order of *cells*, but a group stays together."""
    known = [called(each) for each in ("", "eventlet", *SERVERS)]
    columns = list(dict.fromkeys(map(column, cells)))
    columns.sort(key=lambda name: known.index(name) if name in known else len(known))
    groups = list(dict.fromkeys(row(cell)[0] for cell in cells))
    names = list(dict.fromkeys(row(cell)[1] for cell in cells))
    found = {(*row(cell), column(cell)): cell for cell in cells}
    rows = [
        Row(group, name, tuple(found.get((group, name, each)) for each in columns))
        for group in groups
        for name in names
    ]
    return Table(title, tuple(columns), tuple(row for row in rows if any(row.cells)))
