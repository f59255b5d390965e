"""The report as one HTML file. Whatever comes from a run is escaped."""

from __future__ import annotations

from collections import Counter
from html import escape
from pathlib import Path

from .document import document
from .layout import core, more
from .markup import css, details_id, duration, facts, linked, sign
from .record import MAY_FAIL, NOT_RUN, Record
from .results import FAILED, PASSED, SKIPPED
from .squares import details, table

_HERE = Path(__file__).parent
_WORDS = {MAY_FAIL: "failed, and may"}


def page(record: Record) -> str:
    tables = [core(record.candidates), more(record.candidates)]
    body = f"""<header>
<p class="name">django-db-geventpool, the matrix</p>
<h1>{_headline(record)}</h1>
{_counts(record)}
{_partial(record)}
{_facts(record)}
</header>
<main>
{_failed(record)}
{"".join(table(record, layout) for layout in tables if layout.rows)}
{_skipped_tests(record)}
{_excluded(record)}
</main>
{"".join(details(record, cell) for cell in record.cells)}"""
    return document(_headline(record), body, _HERE / "page.css", _HERE / "page.js")


def _headline(record: Record) -> str:
    counts = record.counts()
    if counts[FAILED]:
        return f"{counts[FAILED]} of {len(record.cells)} cells failed"
    if not counts[SKIPPED] and not counts[NOT_RUN]:
        return "Every cell passed" if not counts[MAY_FAIL] else "Every cell that counts passed"
    return f"{counts[PASSED]} of {len(record.cells)} cells passed, none failed"


def _counts(record: Record) -> str:
    """The figures, which are the legend of the tables, too."""
    items = "".join(
        f'<li class="{css(name)}{"" if number else " zero"}">'
        f"{sign(name)}<b>{number}</b> {_WORDS.get(name, name)}</li>"
        for name, number in record.counts().items()
        if number or name in (PASSED, FAILED)
    )
    return f'<ul class="counts">{items}</ul>'


def _partial(record: Record) -> str:
    if not record.partial:
        return ""
    given = Counter(" ".join(result.arguments) for result in record.partial)
    words = ", ".join(f"<code>{escape(each)}</code> ({n} cells)" for each, n in given.items())
    return f'<p class="partial"><b>Partial.</b> Only some of the tests ran: {words}.</p>'


def _facts(record: Record) -> str:
    run = record.run
    wall = duration(run.seconds) + (f" in {run.runs} runs" if run.runs > 1 else "")
    longest = max(record.results.values(), key=lambda result: result.seconds, default=None)
    told = {
        "Date": run.date,
        "Commit": run.commit or f"unknown (sources {run.fingerprint})",
        "Machine": f"{run.cores} cores, {run.system}",
        "Wall time": f"{wall}, {run.jobs} at a time",
        "Tests": f"{record.tests():,} run",
    }
    if longest is not None:
        told["Slowest cell"] = f"{longest.cell}, {duration(longest.seconds)}"
    return facts(told)


def _failed(record: Record) -> str:
    """What one wants to know first."""
    items = "".join(
        f'<li><button type="button" popovertarget="{details_id(each.cell)}">'
        f"{escape(each.cell)}</button> {linked(each.reason)}</li>"
        for each in record.failed
    )
    return f"<section><h2>Failed</h2><ul class=list>{items}</ul></section>" if items else ""


def _skipped_tests(record: Record) -> str:
    """Why tests were skipped in cells that passed otherwise, over all cells."""
    cells: Counter[str] = Counter()
    for result in record.results.values():
        cells.update(dict.fromkeys(result.tests.skips, 1))
    if not cells:
        return ""
    items = "".join(
        f"<li><b>in {number} {'cell' if number == 1 else 'cells'}</b> {linked(reason)}</li>"
        for reason, number in cells.most_common()
    )
    return f"<section><h2>Tests skipped within cells</h2><ul class=list>{items}</ul></section>"


def _excluded(record: Record) -> str:
    items = "".join(
        f'<li><b>{number}</b> <a href="{escape(each.link)}">{escape(each.reason)}</a></li>'
        for each, number in record.exclusions().items()
    )
    return f"<section><h2>Excluded</h2><ul class=list>{items}</ul></section>" if items else ""
