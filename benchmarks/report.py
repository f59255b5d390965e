"""The tables of a run, for a terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .figures import MEASURES, Line, Spread, lines, shown_time
from .peers import PEERS
from .plan import PGBENCH, RACES, Race
from .record import Record

HEADINGS = ("contender", "figure", "ratio", "bar", "")


def title(race: Race, contender: str) -> str:
    """A contender in words."""
    if contender == PGBENCH:
        return "pgbench (the limit)"
    name, _, variant = contender.partition(":")
    waiters = race.variants.get(variant, {}).get("waiters")
    return PEERS[name].title + (f", {waiters:,} waiters" if waiters else "")


def number(value: float) -> str:
    for below, decimals in ((0.1, 3), (10, 2), (100, 1)):
        if value < below:
            return f"{value:.{decimals}f}"
    return f"{value:,.0f}"


def spread(found: Spread) -> str:
    return f"{number(found.median)} [{number(found.least)} .. {number(found.most)}]"


def cells(race: Race, line: Line) -> tuple[str, str, str, str, str]:
    """Who, its figure, its ratio, its bar, and whether that is met."""
    shown = MEASURES[line.measure].shown
    who = title(race, line.contender)
    if line.against and line.against != race.reference:
        who += f" / {title(race, line.against)}"
    ratio = "1 (reference)" if line.contender == race.reference else ""
    if line.ratio is not None:
        ratio = spread(line.ratio)
    bar = verdict = ""
    if line.bar is not None:
        limit = number(line.bar.limit) if line.bar.against else shown(line.bar.limit)
        bar = f"{'at least' if line.bar.least else 'at most'} {limit}"
        verdict = "met" if line.met else "NOT met"
    return who, shown(line.value.median), ratio, bar, verdict


def races(record: Record) -> list[Race]:
    """Those that *record* has, in the order of the plan."""
    return [race for race in RACES if race.name in record.rounds]


def absences(record: Record, race: Race) -> Iterator[str]:
    for contender, reason in record.absent.get(race.name, {}).items():
        yield f"{title(race, contender)}: absent ({reason.splitlines()[0]})"


def table(record: Record) -> str:
    """A block for each race, its columns aligned with those of all others."""
    blocks = [
        (race, [cells(race, line) for line in lines(race, record.rounds[race.name])])
        for race in races(record)
    ]
    rows = [HEADINGS, *(row for _, block in blocks for row in block)]
    parts = []
    for race, block in blocks:
        parts += [f"{race.name}: {race.title}", *aligned([HEADINGS, *block], like=rows)]
        parts += [f"  {each}" for each in absences(record, race)]
        parts.append("")
    return "\n".join(parts)


def aligned(rows: Sequence[Sequence[str]], like: Sequence[Sequence[str]] = ()) -> list[str]:
    """Lines of *rows*, in columns as wide as those of *like* need them."""
    widths = [max(map(len, column)) for column in zip(*(like or rows))]
    return [
        ("  " + "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths))).rstrip()
        for row in rows
    ]


def profile(record: Record) -> list[list[str]]:
    """Rows of where the CPU of one request goes: a column for each contender."""
    contenders = list(record.profiles)
    if not contenders:
        return []
    parts = {part for parts in record.profiles.values() for part in parts}
    ordered = sorted(parts, key=lambda part: -record.profiles[contenders[0]].get(part, 0.0))
    rows = [["one request", *(PEERS[each.partition(":")[0]].title for each in contenders)]]
    for part in ordered:
        found = [record.profiles[each].get(part, 0.0) for each in contenders]
        rows.append([part, *map(shown_time, found)])
    totals = [sum(record.profiles[each].values()) for each in contenders]
    return [*rows, ["together", *map(shown_time, totals)]]


def closing(record: Record) -> list[str]:
    """Where, when and with what it ran, and how many bars are met."""
    judged = [line for race in races(record) for line in lines(race, record.rounds[race.name])]
    verdicts = [line.met for line in judged if line.met is not None]
    scale = ", quick" if record.quick else ""
    return [
        f"{record.machine}; {record.server} PostgreSQL",
        f"{', '.join(record.dates)}; commit {', '.join(record.commits)}{scale}; "
        f"load average before: {', '.join(map(str, record.loads))}",
        ", ".join(f"{name} {version}" for name, version in sorted(record.versions.items())),
        f"Bars: {sum(verdicts)} of {len(verdicts)} met",
    ]
