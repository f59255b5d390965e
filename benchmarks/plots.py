"""The ratios of a race as an SVG: a bar with a whisker for each line, and a mark where its bar is.

Readable on a light page and on a dark one, and the same file for the same figures.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .figures import MEASURES, Line, lines
from .plan import Race
from .record import Record
from .report import spread, title

#: Inches.
WIDTH, LINE, FRAME = 9.0, 0.36, 0.75
#: Of middle lightness, as both pages need it.
INK, OURS, OTHERS, MARK = "#767e87", "#58a6e8", "#b6bec7", "#d1652b"
SETTINGS: dict[str, Any] = {
    "svg.hashsalt": "benchmarks",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


def draw(race: Race, record: Record, folder: Path) -> Path | None:
    """Write the plot of *race*; None where nothing is compared."""
    compared = [
        line
        for line in lines(race, record.rounds[race.name])
        if line.ratio is not None and line.against == race.reference
    ]
    if not compared:
        return None
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    with matplotlib.rc_context(SETTINGS):
        height = FRAME + LINE * len(compared)
        figure, axes = pyplot.subplots(figsize=(WIDTH, height), layout="constrained")
        for place, line in enumerate(reversed(compared)):
            _draw_line(axes, place, line)
        axes.set_yticks(range(len(compared)), [_label(race, line) for line in reversed(compared)])
        axes.axvline(1, color=INK, linewidth=0.8, linestyle=":")
        axes.set_xlim(left=0)
        axes.margins(x=0.2)
        axes.set_xlabel(f"ratio to: {title(race, race.reference)}")
        axes.spines[["top", "right"]].set_visible(False)
        path = folder / f"{race.name}.svg"
        # No date: the same figures make the same file.
        figure.savefig(path, transparent=True, metadata={"Date": None})
        pyplot.close(figure)
    return path


def _draw_line(axes: Any, place: int, line: Line) -> None:
    found = line.ratio
    assert found is not None
    whisker = [[found.median - found.least], [found.most - found.median]]
    color = OURS if line.contender.startswith("ours") else OTHERS
    axes.barh(place, found.median, height=0.6, color=color)
    axes.errorbar(found.median, place, xerr=whisker, color=INK, capsize=3, linewidth=1)
    beside = {"xytext": (5, 0), "textcoords": "offset points", "va": "center", "fontsize": 8}
    axes.annotate(spread(found), (found.most, place), **beside)
    if line.bar is not None:
        axes.vlines(line.bar.limit, place - 0.45, place + 0.45, color=MARK, linewidth=2)


def _label(race: Race, line: Line) -> str:
    measured = f" ({MEASURES[line.measure].title})" if len(race.measures) > 1 else ""
    return f"{title(race, line.contender)}{measured}"
