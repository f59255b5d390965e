"""A module of somebody's site, as a type checker sees it that has the wheel and no stubs.

``matrix.package`` runs mypy on a copy of it. Where the wheel had no types, the last call would be
right, and what ignores its error would be an error itself.
"""

from __future__ import annotations

from django_db_geventpool.utils import close_connection, hold_connection


@close_connection
def double(number: int) -> int:
    with hold_connection(using="default"):
        return number * 2


def total(numbers: list[int]) -> int:
    with close_connection():
        return sum(double(number) for number in numbers)


double("21")  # type: ignore[arg-type]
