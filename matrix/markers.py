"""The part of a file that a command writes, between two markers; all else is written by hand."""

from __future__ import annotations


class Missing(Exception):
    """The message goes on where the name of the file stands."""


def split(text: str, begin: str, end: str) -> tuple[str, str, str]:
    """What is up to the first marker, between the two, and from the second one on.

    :raises Missing: if one of them is not there.
    """
    before, _, rest = text.partition(begin)
    between, found, after = rest.partition(end)
    if not found:
        raise Missing(f"has no {begin} and {end}")
    return before + begin, between, end + after
