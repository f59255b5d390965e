"""The table of a run, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from .figures import MEASURES, Line, Spread, lines
from .peers import PEERS
from .plan import PGBENCH, RACES, Race
from .record import Record

HEADINGS = ("", "figure", "ratio", "bar", "")


def title(race: Race, contender: str) -> str:
    """A contender in words."""
    if contender == PGBENCH:
        return "pgbench with as many clients (the limit)"
    name, _, variant = contender.partition(":")
    told = ""
    if "waiters" in race.variants.get(variant, {}):
        told = f"{race.variants[variant]['waiters']:,} waiters"
    return ", ".join(filter(None, (PEERS[name].title, told)))


def number(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def spread(found: Spread, shown: str = "") -> str:
    return f"{shown or number(found.median)} [{number(found.least)} .. {number(found.most)}]"


def cells(race: Race, line: Line) -> tuple[str, str, str, str, str]:
    """Who, its figure, its ratio, its bar, and whether that is met."""
    measure = MEASURES[line.measure]
    who = title(race, line.contender)
    if line.against and line.against != race.reference:
        who += f" / {title(race, line.against)}"
    figure = f"{measure.shown(line.value.median)} {measure.unit}"
    ratio = "1 (reference)" if line.contender == race.reference else ""
    if line.ratio is not None:
        ratio = spread(line.ratio)
    if line.bar is None:
        return who, figure, ratio, "", ""
    limit = number(line.bar.limit) if line.bar.against else measure.shown(line.bar.limit)
    bar = f"{'at least' if line.bar.least else 'at most'} {limit}"
    return who, figure, ratio, bar, "met" if line.met else "NOT met"


def races(record: Record) -> list[Race]:
    """Those that *record* has, in the order of the plan."""
    return [race for race in RACES if race.name in record.rounds]


def table(record: Record) -> str:
    """A block for each race, its columns aligned with those of all others."""
    blocks = [
        (race, [cells(race, line) for line in lines(race, record.rounds[race.name])])
        for race in races(record)
    ]
    rows = [HEADINGS, *(row for _, block in blocks for row in block)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    parts = []
    for race, block in blocks:
        parts += [_row((race.title, *HEADINGS[1:]), widths)]
        parts += [_row((f"  {who}", *rest), widths) for who, *rest in block]
        for contender, reason in record.absent.get(race.name, {}).items():
            parts.append(f"  {title(race, contender)}: absent ({reason.splitlines()[0]})")
        parts.append("")
    return "\n".join(parts)


def _row(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (f"{cell:{width + 2}}" for cell, width in zip(row, widths))
    return (first + "  " + "".join(rest)).rstrip()


def closing(record: Record) -> list[str]:
    """Where, when and with what it ran, and how many bars are met."""
    judged = [line for race in races(record) for line in lines(race, record.rounds[race.name])]
    verdicts = [line.met for line in judged if line.met is not None]
    scale = ", quick" if record.quick else ""
    return [
        f"{record.machine}; {record.server}",
        f"{', '.join(record.dates)}; commit {', '.join(record.commits)}{scale}",
        ", ".join(f"{name} {version}" for name, version in sorted(record.versions.items())),
        f"Bars: {sum(verdicts)} of {len(verdicts)} met",
    ]
