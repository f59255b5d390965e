"""Small pieces of the report's page."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

from .record import EXCLUDED, MAY_FAIL, NOT_RUN
from .results import FAILED, PASSED, SKIPPED

# A shape of its own for each, so that nobody needs the colours.
SHAPES = {
    PASSED: '<circle cx="8" cy="8" r="8"/><path class="on" d="M4 8.4 7 11.2 12 5.2"/>',
    FAILED: '<path d="M5 0h6l5 5v6l-5 5H5l-5-5V5z"/><path class="on" d="m5 5 6 6m0-6-6 6"/>',
    SKIPPED: '<path d="M8 0 16 15H0z"/><path class="on" d="M8 5v5m0 2v1.5"/>',
    NOT_RUN: '<circle class="line" cx="8" cy="8" r="6.5" stroke-dasharray="2.6 2"/>',
    EXCLUDED: '<path class="line" d="M2 8h12"/>',
}


def symbol(status: str) -> str:
    return f'<symbol id="{slug(status)}" viewBox="0 0 16 16">{SHAPES[status]}</symbol>'


def slug(status: str) -> str:
    """The id of its sign."""
    return "sign-" + css(status).partition(" ")[0]


def sign(status: str) -> str:
    return f'<svg class="sign" aria-hidden="true"><use href="#{slug(status)}"/></svg>'


def css(status: str) -> str:
    """The classes of what has this status."""
    return "failed may" if status == MAY_FAIL else status.replace(" ", "-")


def facts(told: dict[str, str]) -> str:
    items = (
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in told.items()
    )
    return f'<dl class="facts">{"".join(items)}</dl>'


def duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"


def details_id(cell: str) -> str:
    return f"details-{cell}"


def reasons(told: Iterable[tuple[str, int]]) -> str:
    items = "".join(f"<li><b>{number} ×</b> {linked(reason)}</li>" for reason, number in told)
    return f'<ul class="list">{items}</ul>'


def linked(text: str) -> str:
    """Escaped, with its https addresses as links."""
    parts = re.split(r"(https://[\w./#?=%~+:@-]*[\w/])", text)
    return "".join(
        f'<a href="{escape(part)}">{escape(part)}</a>' if index % 2 else escape(part)
        for index, part in enumerate(parts)
    )
