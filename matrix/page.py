"""The report as one HTML file that loads nothing: all is in it, its style and script too.

Whatever comes from a run is escaped, and if that were forgotten somewhere, the page's policy lets
no other script run than its own.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from html import escape
from itertools import groupby
from pathlib import Path

from .cells import Cell, Exclusion
from .layout import Row, Table, core, more, title
from .record import EXCLUDED, MAY_FAIL, NOT_RUN, Record
from .results import FAILED, PASSED, SKIPPED, Result

_HERE = Path(__file__).parent
# A shape of its own for each, so that nobody needs the colours.
_SHAPES = {
    PASSED: '<circle cx="8" cy="8" r="8"/><path class="on" d="M4 8.4 7 11.2 12 5.2"/>',
    FAILED: '<path d="M5 0h6l5 5v6l-5 5H5l-5-5V5z"/><path class="on" d="m5 5 6 6m0-6-6 6"/>',
    SKIPPED: '<path d="M8 0 16 15H0z"/><path class="on" d="M8 5v5m0 2v1.5"/>',
    NOT_RUN: '<circle class="line" cx="8" cy="8" r="6.5" stroke-dasharray="2.6 2"/>',
    EXCLUDED: '<path class="line" d="M2 8h12"/>',
}
_WORDS = {MAY_FAIL: "failed, and may"}


def page(record: Record) -> str:
    style, script = (_HERE / "page.css").read_text("utf-8"), (_HERE / "page.js").read_text("utf-8")
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    tables = [core(record.candidates), more(record.candidates)]
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{_headline(record)} · django-db-geventpool</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<svg class="hidden" aria-hidden="true">{"".join(_symbol(status) for status in _SHAPES)}</svg>
<header>
<p class="name">django-db-geventpool, the matrix</p>
<h1>{_headline(record)}</h1>
{_counts(record)}
{_partial(record)}
{_facts(record)}
</header>
<main>
{_failed(record)}
{"".join(_table(record, layout) for layout in tables if layout.rows)}
{_skipped_tests(record)}
{_excluded(record)}
</main>
{"".join(_details(record, cell) for cell in record.cells)}
<script>{script}</script>
</body>
</html>
"""


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _symbol(status: str) -> str:
    return f'<symbol id="{_slug(status)}" viewBox="0 0 16 16">{_SHAPES[status]}</symbol>'


def _slug(status: str) -> str:
    return "sign-" + _class(status).partition(" ")[0]


def _sign(status: str) -> str:
    return f'<svg class="sign" aria-hidden="true"><use href="#{_slug(status)}"/></svg>'


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
        f'<li class="{_class(name)}">{_sign(name)}<b>{number}</b> {_WORDS.get(name, name)}</li>'
        for name, number in record.counts().items()
        if number or name in (PASSED, FAILED)
    )
    return f'<ul class="counts">{items}</ul>'


def _class(status: str) -> str:
    return "failed may" if status == MAY_FAIL else status.replace(" ", "-")


def _partial(record: Record) -> str:
    if not record.partial:
        return ""
    given = Counter(" ".join(result.arguments) for result in record.partial)
    words = ", ".join(f"<code>{escape(each)}</code> ({n} cells)" for each, n in given.items())
    return f'<p class="partial"><b>Partial.</b> Only some of the tests ran: {words}.</p>'


def _facts(record: Record) -> str:
    run = record.run
    wall = _duration(run.seconds) + (f" in {run.runs} runs" if run.runs > 1 else "")
    longest = max(record.results.values(), key=lambda result: result.seconds, default=None)
    facts = {
        "Date": run.date,
        "Commit": run.commit or f"unknown (sources {run.fingerprint})",
        "Machine": f"{run.cores} cores, {run.system}",
        "Wall time": f"{wall}, {run.jobs} at a time",
        "Tests": f"{record.tests():,} run",
    }
    if longest is not None:
        facts["Slowest cell"] = f"{longest.cell}, {_duration(longest.seconds)}"
    return _list(facts, "facts")


def _list(facts: dict[str, str], name: str) -> str:
    items = (f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in facts.items())
    return f'<dl class="{name}">{"".join(items)}</dl>'


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"


def _failed(record: Record) -> str:
    """What one wants to know first."""
    items = "".join(
        f"<li><button type=button popovertarget={_id(each.cell)}>{escape(each.cell)}</button> "
        f"{linked(each.reason)}</li>"
        for each in record.failed
    )
    return f"<section><h2>Failed</h2><ul class=list>{items}</ul></section>" if items else ""


# -- the tables


def _table(record: Record, layout: Table) -> str:
    columns = "".join(
        f'<th scope="col"><span>{escape(each)}</span></th>' for each in layout.columns
    )
    widths = '<col class="group"><col class="row">' + "<col>" * len(layout.columns)
    groups = "".join(
        _group(record, name, list(rows))
        for name, rows in groupby(layout.rows, key=lambda row: row.group)
    )
    label = escape(layout.title)
    wide = "wide many" if len(layout.columns) > 6 else "wide"
    return f"""<section>
<h2>{label}</h2>
<div class="{wide}" role="region" aria-label="{label}" tabindex="0">
<table><colgroup>{widths}</colgroup>
<thead><tr><td colspan="2"></td>{columns}</tr></thead>
{groups}</table>
</div>
</section>
"""


def _group(record: Record, name: str, rows: list[Row]) -> str:
    lines = []
    for number, row in enumerate(rows):
        first = f'<th scope="rowgroup" rowspan="{len(rows)}">{escape(name)}</th>'
        squares = "".join(_squares(record, row))
        head = first if number == 0 else ""
        lines.append(f'<tr>{head}<th scope="row">{escape(row.name)}</th>{squares}</tr>\n')
    return f"<tbody>{''.join(lines)}</tbody>\n"


def _squares(record: Record, row: Row) -> Iterable[str]:
    """Neighbours that are excluded for the same reason make one square."""

    def excluded(cell: Cell | None) -> Exclusion | None:
        return record.exclusion(cell) if cell else None

    for exclusion, group in groupby(row.cells, key=excluded):
        cells = list(group)
        if exclusion:
            word = "excluded" if len(cells) == 1 else ""  # the rest would not fit
            reason = escape(exclusion.reason)
            yield (
                f'<td class="excluded" colspan="{len(cells)}"><a href="{escape(exclusion.link)}" '
                f'title="{reason}">{_sign(EXCLUDED)}<span>{word}</span>'
                f'<span class="{"hidden" if word else ""}">{reason}</span></a></td>'
            )
        else:
            yield from (_square(record, cell) if cell else "<td></td>" for cell in cells)


def _square(record: Record, cell: Cell) -> str:
    status, result = record.status(cell), record.results.get(cell.name)
    notes = [_small(result)] if result and status != SKIPPED else []
    notes += ["may fail"] if cell.may_fail and status == FAILED else []
    notes += ["partial"] if result and result.arguments else []
    name = MAY_FAIL if cell.may_fail and status == FAILED else status
    return (
        f'<td><button type="button" id="{cell.name}" class="cell {_class(name)}" '
        f'popovertarget="{_id(cell.name)}">{_sign(status)}'
        f'<span class="hidden">{escape(title(cell))}: </span><span class="word">{status}</span>'
        f"<small>{', '.join(notes)}</small></button></td>"
    )


def _small(result: Result) -> str:
    if result.tests.failed:
        return f"{result.tests.failed} of {result.tests.ran}"
    return f"{result.tests.ran} tests" if result.tests.ran else _duration(result.seconds)


# -- what a click shows


def _id(cell: str) -> str:
    return f"details-{cell}"


def _details(record: Record, cell: Cell) -> str:
    status, result = record.status(cell), record.results.get(cell.name)
    facts = _result(result) if result else "<p>This cell has not run on these sources.</p>"
    return f"""<article popover id="{_id(cell.name)}" class="details {_class(status)}" \
aria-label="{cell.name}">
<button type="button" class="close" popovertarget="{_id(cell.name)}" \
popovertargetaction="hide" aria-label="Close">×</button>
<h3>{_sign(status)}{cell.name} <b>{status}</b></h3>
{"<p>It may fail: it follows a branch that changes.</p>" if cell.may_fail else ""}
{facts}
<p class="again">Run it: <code>tox -e {cell.name}</code></p>
</article>
"""


def _result(result: Result) -> str:
    tests = result.tests
    parts = [f'<p class="reason">{linked(result.reason)}</p>'] if result.reason else []
    if result.arguments:
        given = escape(" ".join(result.arguments))
        parts.append(f"<p><b>Partial</b>: pytest was given <code>{given}</code></p>")
    counts = f"{tests.passed} passed, {tests.failed} failed, {tests.skipped} skipped"
    shown = {"Tests": counts} if tests.ran or tests.skipped else {}
    parts.append(_list({**shown, "Time": _duration(result.seconds), **tests.versions}, "facts"))
    if tests.failures:
        items = (
            f"<li><code>{escape(k)}</code> {escape(v)}</li>" for k, v in tests.failures.items()
        )
        parts.append(f'<h4>Failed tests</h4><ul class="list">{"".join(items)}</ul>')
    if result.tail:
        parts.append(f'<h4>End of the log</h4><pre tabindex="0">{escape(result.tail)}</pre>')
    if tests.skips:
        parts.append(f"<h4>Skipped tests</h4>{_reasons(tests.skips.items())}")
    return "\n".join(parts)


def _reasons(reasons: Iterable[tuple[str, int]]) -> str:
    items = "".join(f"<li><b>{number} ×</b> {linked(reason)}</li>" for reason, number in reasons)
    return f'<ul class="list">{items}</ul>'


def linked(text: str) -> str:
    """Escaped, with its https addresses as links."""
    parts = re.split(r"(https://[\w./#?=%~+:@-]*[\w/])", text)
    return "".join(
        f'<a href="{escape(part)}">{escape(part)}</a>' if index % 2 else escape(part)
        for index, part in enumerate(parts)
    )


# -- below the tables


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
    found = Counter(each for cell in record.candidates if (each := record.exclusion(cell)))
    items = "".join(
        f'<li><b>{number}</b> <a href="{escape(each.link)}">{escape(each.reason)}</a></li>'
        for each, number in found.items()
    )
    return f"<section><h2>Excluded</h2><ul class=list>{items}</ul></section>" if items else ""
