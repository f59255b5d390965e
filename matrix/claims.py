"""Whether a cell ran on what its name says, and not on what happened to be there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from .cells import Cell
from .layout import called
from .lock import min_lock


def broken(cell: Cell, versions: Mapping[str, str]) -> str:
    """The first thing that is not as *cell* claims, in words; empty if all is.

    :param versions: as ``tests/plugin_versions.py`` has recorded them.
    """
    for name, pattern, claim in _claims(cell):
        found = versions.get(name, "")
        if not re.match(pattern, found):
            return f"it claims {claim}, and ran on {name} {found or 'none'}"
    return ""


def _claims(cell: Cell) -> Iterator[tuple[str, str, str]]:
    """What has which version, as a pattern and in words."""
    implementation = r"\(PyPy" if cell.python.startswith("pypy") else r"\(CPython"
    minor = cell.interpreter.partition("3.")[2]
    yield "Python", rf"3\.{minor}\..*{implementation}", called(cell.python)
    release = cell.django[len("django") :]
    if release.isdecimal():
        yield "Django", rf"{release[:-1]}\.{release[-1]}(?!\d)", called(cell.django)
    if cell.django == "djangomain":
        yield "Django", r".*\(alpha\)$", "an alpha version, which the main branch always is"
    if cell.driver == "psycopg3":
        yield "psycopg", r"3\.", "psycopg 3"
    else:
        yield cell.driver, r"2\.", cell.driver
        yield "psycopg", "$", "no psycopg 3, which Django would take"
    hub = "eventlet" if cell.variant == "eventlet" else "gevent"
    yield "Hub", hub, hub
    server = re.fullmatch(r"pg(\d+)", cell.variant)
    if server:
        yield "PostgreSQL", rf"{server[1]}(?!\d)", called(cell.variant)
    if cell.variant == "postgis":
        yield "PostGIS", r"\d", "PostGIS"
    if cell.variant == "pgbouncer":
        yield "PgBouncer", r"\d", "PgBouncer"
    if cell.variant == "min":
        yield from _lowest(cell.driver)


def _lowest(driver: str) -> Iterator[tuple[str, str, str]]:
    """What the lock of a ``min`` cell has, and no newer one that pip took instead."""
    pinned = re.findall(r"^([\w-]+)==([\w.]+)", min_lock(driver).read_text("utf-8"), re.M)
    names = {"django": "Django", "gevent": "Hub", "psycopg": "psycopg"}
    names["psycopg2-binary"] = "psycopg2"
    for package, version in pinned:
        if package in names:
            pattern = rf"(gevent )?{re.escape(version)}(?![\w.])"
            yield names[package], pattern, f"{package} {version}, the lowest"
