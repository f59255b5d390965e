"""``docs/benchmarks.md``, between its two markers, and the plots beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matrix import ROOT, markers
from matrix.results import write

from . import plots, report
from .figures import lines
from .record import Record, Unfit

PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN = "<!-- benchmarks: begin (tox -e bench -- --docs FILE...) -->"
END = "<!-- benchmarks: end -->"


def render(record: Record, page: Path = PAGE) -> None:
    """:raises Unfit: if the page has no markers."""
    try:
        before, _, after = markers.split(page.read_text(encoding="utf-8"), BEGIN, END)
    except markers.Missing as problem:
        raise Unfit(f"{page.name} {problem}") from None
    folder = page.with_suffix("")
    folder.mkdir(exist_ok=True)
    drawn = {race.name: plots.draw(race, record, folder) for race in report.races(record)}
    for old in set(folder.glob("*.svg")) - {path for path in drawn.values() if path}:
        old.unlink()
    write(page, f"{before}\n\n{_content(record, drawn, folder)}\n\n{after}")


def _content(record: Record, drawn: dict[str, Path | None], folder: Path) -> str:
    parts = ["\n".join(f"* {line}" for line in report.closing(record))]
    for race in report.races(record):
        found = lines(race, record.rounds[race.name])
        rows = [report.HEADINGS, *(report.cells(race, line) for line in found)]
        parts += [f"### {race.name}", f"{race.title[0].upper()}{race.title[1:]}.", _table(rows)]
        parts += [f"{absence}." for absence in report.absences(record, race)]
        path = drawn[race.name]
        if path:
            parts.append(f"![{race.title}: ratios]({folder.name}/{path.name})")
    profile = report.profile(record)
    if profile:
        parts += ["### Where the CPU of one request goes", _table(profile)]
    return "\n\n".join(parts)


def _table(rows: Sequence[Sequence[str]]) -> str:
    heading, *others = rows
    ruled = [heading, ["---"] * len(heading), *others]
    return "\n".join(f"| {' | '.join(cell for cell in row)} |" for row in ruled)
