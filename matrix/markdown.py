"""The tables in Markdown: ``matrix.md`` has all, the README the core between two markers."""

from __future__ import annotations

from pathlib import Path

from . import ROOT, markers
from .layout import Table, core, is_core, more
from .record import EXCLUDED, NOT_RUN, Record
from .results import FAILED, PASSED, SKIPPED, write

BEGIN, END = "<!-- matrix: begin (python -m matrix --readme) -->", "<!-- matrix: end -->"
_SIGNS = {PASSED: "✓", FAILED: "✗ failed", SKIPPED: "skipped", NOT_RUN: "not run", EXCLUDED: "–"}


class Unfit(Exception):
    """These results are nothing for the README; the message is for a person."""


def table(record: Record, layout: Table) -> str:
    """A row in which every square is excluded is left out."""
    lines = ["| | " + " | ".join(layout.columns) + " |", "|---" * (len(layout.columns) + 1) + "|"]
    for row in layout.rows:
        statuses = [record.status(cell) if cell else "" for cell in row.cells]
        if set(statuses) - {EXCLUDED}:
            signs = " | ".join(_SIGNS.get(status, " ") for status in statuses)
            lines.append(f"| {row.group}, {row.name} | {signs} |")
    return "\n".join(lines)


def summary(record: Record) -> str:
    """One sentence of figures."""
    run = record.run
    counts = ", ".join(f"{number} {name}" for name, number in record.counts().items() if number)
    of = f", commit {run.commit}" if run.commit else ""
    partial = ", PARTIAL: only some tests of each cell" if record.partial else ""
    return f"{run.date}{of}: {counts}; {record.tests():,} tests{partial}."


def document(record: Record) -> str:
    """All of ``matrix.md``."""
    parts = ["# The matrix, as it ran last", summary(record)]
    for layout in (core(record.candidates), more(record.candidates)):
        parts += [f"## {layout.title}", table(record, layout)]
    excluded = [
        f"* [{each.reason}]({each.link}): {number} cells"
        for each, number in record.exclusions().items()
    ]
    parts += ["## Excluded (–)", "\n".join(excluded)]
    told = [
        f"* `{name}` {result.status}: {_plain(result.reason)}"
        for name, result in record.results.items()
        if result.status != PASSED
    ]
    parts += ["## Failed or skipped", "\n".join(told)] if told else []
    return "\n\n".join(parts) + "\n"


def _plain(text: str) -> str:
    """Nothing of it is Markdown or HTML."""
    return "".join(f"\\{each}" if each in "\\`*_{}[]<>#|!&" else each for each in text)


def into_readme(record: Record, path: Path = ROOT / "README.md") -> None:
    """:raises Unfit: unless every cell of the core ran all of its tests."""
    missing = [
        cell.name
        for cell in record.cells
        if is_core(cell) and record.status(cell) not in (PASSED, FAILED)
    ]
    if missing:
        raise Unfit(f"{len(missing)} cells of the core have not run: {missing[0]}, ...")
    if record.partial:
        raise Unfit("only some of the tests have run")
    try:
        before, _, after = markers.split(path.read_text(encoding="utf-8"), BEGIN, END)
    except markers.Missing as problem:
        raise Unfit(f"{path.name} {problem}") from None
    content = f"{table(record, core(record.candidates))}\n\n{summary(record)}"
    write(path, f"{before}\n{content}\n{after}")
