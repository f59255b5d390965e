"""The tables of the report's page, and what a click on one of their squares shows."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from itertools import groupby

from .cells import Cell, Exclusion
from .layout import Row, Table, title
from .markup import css, details_id, duration, facts, linked, reasons, sign
from .record import EXCLUDED, MAY_FAIL, Record
from .results import SKIPPED, Result


def table(record: Record, layout: Table) -> str:
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
                f'title="{reason}">{sign(EXCLUDED)}<span>{word}</span>'
                f'<span class="{"hidden" if word else ""}">{reason}</span></a></td>'
            )
        else:
            yield from (_square(record, cell) if cell else "<td></td>" for cell in cells)


def _square(record: Record, cell: Cell) -> str:
    status, verdict = record.status(cell), record.verdict(cell)
    result = record.results.get(cell.name)
    notes = [_small(result)] if result and status != SKIPPED else []
    notes += ["may fail"] if verdict == MAY_FAIL else []
    notes += ["partial"] if result and result.arguments else []
    return (
        f'<td><button type="button" id="{cell.name}" class="cell {css(verdict)}" '
        f'popovertarget="{details_id(cell.name)}">{sign(status)}'
        f'<span class="hidden">{escape(title(cell))}: </span><span class="word">{status}</span>'
        f"<small>{', '.join(notes)}</small></button></td>"
    )


def _small(result: Result) -> str:
    if result.tests.failed:
        return f"{result.tests.failed} of {result.tests.ran}"
    return f"{result.tests.ran} tests" if result.tests.ran else duration(result.seconds)


# -- what a click shows


def details(record: Record, cell: Cell) -> str:
    status, result = record.status(cell), record.results.get(cell.name)
    told = _result(result) if result else "<p>This cell has not run on these sources.</p>"
    return f"""<article popover id="{details_id(cell.name)}" class="details {css(status)}" \
aria-label="{cell.name}">
<button type="button" class="close" popovertarget="{details_id(cell.name)}" \
popovertargetaction="hide" aria-label="Close">×</button>
<h3>{sign(status)}{cell.name} <b>{status}</b></h3>
{"<p>It may fail: it follows a branch that changes.</p>" if cell.may_fail else ""}
{told}
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
    parts.append(facts({**shown, "Time": duration(result.seconds), **tests.versions}))
    if tests.failures:
        items = (
            f"<li><code>{escape(k)}</code> {escape(v)}</li>" for k, v in tests.failures.items()
        )
        parts.append(f'<h4>Failed tests</h4><ul class="list">{"".join(items)}</ul>')
    if result.tail:
        parts.append(f'<h4>End of the log</h4><pre tabindex="0">{escape(result.tail)}</pre>')
    if tests.skips:
        parts.append(f"<h4>Skipped tests</h4>{reasons(tests.skips.items())}")
    return "\n".join(parts)
