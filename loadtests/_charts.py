"""Charts as SVG that fits any width: what is drawn stretches, what is written does not.

Each is one panel of a report, with time from left to right; all panels of a report share that axis.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape

#: The height of a panel in units of its own; its width is in seconds.
HEIGHT = 100.0
#: Seconds without a point that a line does not bridge.
GAP = 3.0

Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    name: str
    points: Sequence[Point]
    """Seconds and value, in the order of time."""
    style: str = "one"
    """The name of its colour and stroke in the style sheet."""
    filled: bool = False


@dataclass(frozen=True)
class Panel:
    title: str
    lines: Sequence[Line]
    unit: str = ""
    limit: float | None = None
    """Drawn as a line that nothing should cross."""
    limit_name: str = ""
    logarithmic: bool = False

    @property
    def top(self) -> float:
        """The end of its scale."""
        values = [value for line in self.lines for _, value in line.points]
        return nice(max([*values, self.limit or 0.0, 1.0]))

    def height_of(self, value: float) -> float:
        """From 0 at the bottom to 1."""
        if self.logarithmic:
            return max(0.0, math.log10(max(value, 1.0)) / math.log10(max(self.top, 10.0)))
        return value / self.top


@dataclass(frozen=True)
class Band:
    """What is marked on all panels."""

    name: str
    begin: float
    end: float


def nice(value: float) -> float:
    """The next of 1, 2, 5, 10, 20, ... that is not below."""
    size = 10.0 ** math.floor(math.log10(value))
    return next(step * size for step in (1, 2, 5, 10) if value <= step * size * 1.0001)


def panel(
    each: Panel, begin: float, end: float, bands: Sequence[Band], cuts: Iterable[float]
) -> str:
    """
    :param begin: where the axis begins, in seconds; and *end*, where it ends.
    :param cuts: where stages change.
    """

    def y(value: float) -> float:
        return HEIGHT * (1 - min(1.0, each.height_of(value)))

    drawn = [
        f'<rect class="band" x="{band.begin - begin:.2f}" y="0" height="{HEIGHT:.0f}" '
        f'width="{max(band.end - band.begin, (end - begin) / 300):.2f}"/>'
        for band in bands
    ]
    drawn += [f'<path class="cut" d="M{cut - begin:.2f} 0V{HEIGHT:.0f}"/>' for cut in cuts]
    if each.limit is not None:
        drawn.append(f'<path class="limit" d="M0 {y(each.limit):.2f}H{end - begin:.2f}"/>')
    drawn += [_line(line, begin, y) for line in each.lines if line.points]
    keys = [
        f'<li class="{line.style}">{escape(line.name)} <output></output></li>'
        for line in each.lines
    ]
    if each.limit is not None:
        keys.append(f'<li class="limit">{escape(each.limit_name)} {each.limit:g}</li>')
    return f"""<figure>
<figcaption><b>{escape(each.title)}</b><ul class="keys">{"".join(keys)}</ul></figcaption>
<div class="plot">
<svg viewBox="0 0 {end - begin:.2f} {HEIGHT:.0f}" preserveAspectRatio="none" aria-hidden="true">
{"".join(drawn)}</svg>{_scale(each)}<i class="cursor"></i></div>
</figure>"""


def _line(line: Line, begin: float, y: Callable[[float], float]) -> str:
    path = "L".join(f"{at - begin:.2f} {y(value):.2f}" for at, value in line.points)
    befores = [-math.inf, *(at for at, _ in line.points)]
    pieces = "".join(
        f"{'L' if at - before < GAP else 'M'}{at - begin:.2f} {y(value):.2f}"
        for (at, value), before in zip(line.points, befores)
    )
    stroke = f'<path class="stroke {line.style}" d="{pieces}"/>'
    if not line.filled:
        return stroke
    first, last = line.points[0][0] - begin, line.points[-1][0] - begin
    around = f"M{first:.2f} {HEIGHT:.0f}L{path}L{last:.2f} {HEIGHT:.0f}Z"
    return f'<path class="area {line.style}" d="{around}"/>{stroke}'


def _scale(each: Panel) -> str:
    """What its heights mean, along its left side."""
    values = [each.top, each.top / 2]
    if each.logarithmic:
        values = [10.0**power for power in range(1, 1 + int(math.log10(each.top)))]
    marks = ((value, 100 * (1 - each.height_of(value))) for value in values)
    drawn = "".join(
        f'<line x2="100%" y1="{y:.1f}%" y2="{y:.1f}%"/>'
        f'<text x="3" y="{y:.1f}%" dy="11">{value:g}{each.unit}</text>'
        for value, y in marks
    )
    return f'<svg class="scale">{drawn}</svg>'


def ticks(begin: float, end: float) -> str:
    """The axis below the panels."""
    step = next(s for s in (5, 10, 20, 60, 120, 300, 600, 1800, 3600, 7200, 86400) if s * 8 >= end)
    numbers = range(0, int(end) + 1, step)
    marks = (
        f'<text x="{(number - begin) / (end - begin) * 100:.2f}%" y="12">{number}</text>'
        for number in numbers
    )
    return f'<svg class="ticks" role="img" aria-label="seconds">{"".join(marks)}</svg>'
