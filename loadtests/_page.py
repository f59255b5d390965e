"""The report of a scenario as one HTML page, and the summary of several."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from loadtests._charts import Band, Line, Panel, panel, ticks
from loadtests._panels import panels
from loadtests._record import Record
from loadtests._run import Run
from matrix.document import document
from matrix.markup import duration, facts, sign
from matrix.results import FAILED, PASSED

_HERE = Path(__file__).parent
#: Seconds that are shown before the first stage and after the last one.
MARGIN = 2.0


def page(record: Record) -> str:
    run = record.run
    body = f"""<header>
<p class="name">django-db-geventpool, the load</p>
<h1 class="{_word(record)}">{sign(_status(record))} {escape(record.name)} {_word(record)}</h1>
<p class="question">{escape(run.scenario.question)}</p>
{facts(_facts(record))}
</header>
<main>
{_failed(record)}
<section><h2>On one time axis</h2>{_charts(run)}</section>
<section><h2>Criteria</h2>{_criteria(record)}</section>
<section><h2>Requests</h2>{_requests(run)}{_failures(run)}</section>
</main>"""
    return document(f"{record.name} {_word(record)}", body, _HERE / "_page.css", _HERE / "_page.js")


def index(records: Sequence[Record]) -> str:
    """One row for each, with a link to its report."""
    failed = sum(not record.passed for record in records)
    headline = f"{failed} of {len(records)} scenarios failed" if failed else "Every scenario passed"
    rows = "".join(map(_row, records))
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in records[0].figures)
    body = f"""<header>
<p class="name">django-db-geventpool, the load</p>
<h1 class="{"failed" if failed else "passed"}">{headline}</h1>
</header>
<main class="wide" tabindex="0"><table class="summary">
<thead><tr><th scope="col">scenario</th>{heads}</tr></thead><tbody>{rows}</tbody>
</table></main>"""
    return document(headline, body, _HERE / "_page.css")


def _row(record: Record) -> str:
    """And below it what it asked."""
    cells = "".join(f"<td>{escape(value)}</td>" for value in record.figures.values())
    return (
        f'<tr class="{_word(record)}"><th scope="row"><a href="{escape(record.name)}.html">'
        f"{sign(_status(record))} {escape(record.name)}</a></th>{cells}</tr>"
        f'<tr class="told"><td colspan="{len(record.figures) + 1}">'
        f"<div>{escape(_told(record))}</div></td></tr>"
    )


def _status(record: Record) -> str:
    return PASSED if record.passed else FAILED


def _word(record: Record) -> str:
    return "passed" if record.passed else "failed"


def _told(record: Record) -> str:
    if record.passed:
        return record.run.scenario.question
    return f"{record.run.scenario.question} FAILED: {', '.join(record.failed)}"


def _facts(record: Record) -> dict[str, str]:
    run, scenario = record.run, record.run.scenario
    answers = run.answers()
    sites = ", ".join(
        f"{site.workers} × MAX_CONNS {site.max_conns}, RELEASE {site.release}"
        for site in scenario.sites
    )
    behind = {
        "pgbouncer": f"through PgBouncer, pool size {scenario.pool_size}",
        "proxy": "through a proxy that can cut",
    }
    return {
        "Date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(run.began)),
        "Load": ", ".join(f"{s.users} users for {duration(s.seconds)}" for s in scenario.stages),
        "Visitors": ", ".join(f"{name} {weight}" for name, weight in scenario.visitors.items()),
        "Workers": ", ".join(filter(None, (sites, behind.get(scenario.behind)))),
        "Requests": f"{answers.count:,}, {answers.failed} failed",
        "p50, p95, p99": ", ".join(f"{answers.percentile(p):.0f} ms" for p in (0.5, 0.95, 0.99)),
        "Checkouts": f"{run.end.checkouts:,}, {run.end.waits:,} waited",
        "Connections opened": f"{run.end.connects:,}"
        + (f", {run.end.failed_connects} failed" if run.end.failed_connects else ""),
    }


def _failed(record: Record) -> str:
    """What one wants to know first."""
    items = "".join(
        f"<li><b>{escape(each.name)}</b>: {escape(each.measured)}; {escape(each.limit)}</li>"
        for each in record.criteria
        if not each.ok
    )
    return f'<section><h2>Failed</h2><ul class="list">{items}</ul></section>' if items else ""


# -- the charts


def _charts(run: Run) -> str:
    begin, end = -MARGIN, run.scenario.seconds + MARGIN
    bands = [Band(span.what, span.begin, span.end) for span in run.disturbed]
    cuts = [run.stage(index)[0] for index in range(len(run.scenario.stages))]
    cuts.append(run.scenario.seconds)
    shown = [_clipped(each, begin, end) for each in panels(run)]
    places = ((band.name, (band.begin - begin) / (end - begin) * 100) for band in bands)
    marks = "".join(f'<text x="{at:.2f}%" y="14">{escape(name)}</text>' for name, at in places)
    data = [
        [[[round(at, 2), round(value, 2)] for at, value in line.points] for line in each.lines]
        for each in shown
    ]
    axis = json.dumps({"begin": begin, "end": end, "panels": data}).replace("<", "\\u003c")
    return f"""<div class="charts">{f'<svg class="marks">{marks}</svg>' if marks else ""}
{"".join(panel(each, begin, end, bands, cuts) for each in shown)}
{ticks(begin, end)}
<input type="range" aria-label="second" min="{begin:.0f}" max="{end:.0f}">
<p class="unit"><output id="second"></output> seconds since the load began</p>
</div><script type="application/json" id="data">{axis}</script>"""


def _clipped(each: Panel, begin: float, end: float) -> Panel:
    """Only what lies on the axis."""
    lines = [
        Line(line.name, [p for p in line.points if begin <= p[0] <= end], line.style, line.filled)
        for line in each.lines
    ]
    return Panel(each.title, lines, each.unit, each.limit, each.limit_name, each.logarithmic)


# -- the tables


def _criteria(record: Record) -> str:
    rows = (
        f'<tr class="{"passed" if each.ok else "failed"}"><td>{sign(PASSED if each.ok else FAILED)}'
        f'<span class="hidden">{"ok" if each.ok else "FAILED"}</span></td>'
        f"<th scope=row>{escape(each.name)}</th><td>{escape(each.measured)}</td>"
        f"<td>{escape(each.limit)}</td></tr>"
        for each in record.criteria
    )
    return _table("criteria", ("", "criterion", "measured", "limit"), rows)


def _requests(run: Run) -> str:
    rows = (
        f"<tr><th scope=row>{escape(each.name)}</th>"
        f"<td>{each.requests:,}</td><td>{each.failed}</td>"
        + "".join(f"<td>{value or 0:.0f}</td>" for value in (each.p50, each.p95, each.p99))
        + "</tr>"
        for each in run.asked
    )
    return _table("requests", ("request", "number", "failed", "p50 ms", "p95 ms", "p99 ms"), rows)


def _failures(run: Run) -> str:
    items = "".join(f"<li><b>{count} ×</b> {escape(what)}</li>" for what, count in run.failures)
    return f'<h3>What failed</h3><ul class="list">{items}</ul>' if items else ""


def _table(style: str, heads: Iterable[str], rows: Iterable[str]) -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    return (
        f'<div class="wide" tabindex="0"><table class="{style}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )
