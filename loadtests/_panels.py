"""What the report of a run draws, panel by panel, from top to bottom."""

from __future__ import annotations

from collections.abc import Iterable

from loadtests._charts import Line, Panel
from loadtests._run import Run

#: From how long a run on its memory is shown.
LONG = 60.0


def panels(run: Run) -> Iterable[Panel]:
    yield Panel("Users", [Line("users", _users(run), "soft", filled=True)])
    yield Panel("Requests per second", [*_rates(run), _failures_per_second(run)])
    answers = [(at, each) for at, each in run.every_second() if each.count]
    yield Panel(
        "Response time",
        [
            Line(
                f"p{part:g}",
                [(at + 0.5, each.percentile(part / 100)) for at, each in answers],
                style,
            )
            for part, style in ((50, "one"), (95, "two"), (99, "three"))
        ],
        unit=" ms",
        logarithmic=True,
    )
    moments = run.pools
    yield Panel(
        "Pools, as they say",
        [
            Line("in use", [(each.at, each.in_use) for each in moments], "one", filled=True),
            Line("idle", [(each.at, each.idle) for each in moments], "two"),
            Line("opening, closing", [(each.at, each.moving) for each in moments], "three"),
        ],
        limit=run.scenario.budget,
        limit_name="MAX_CONNS of all",
    )
    yield Panel("Waiting", [Line("waiting", [(m.at, m.waiting) for m in moments], "two", True)])
    yield _server(run)
    if run.scenario.behind == "pgbouncer":
        clients = [(each.at - run.began, each.clients) for each in run.sampling.series]
        yield Panel(
            "Clients of PgBouncer",
            [Line("clients", clients, "one", filled=True)],
            limit=run.scenario.budget,
            limit_name="MAX_CONNS of all",
        )
    if run.scenario.seconds >= LONG:
        yield Panel("Memory of the workers", [Line("resident", run.memory, "soft", True)], " MB")


def _server(run: Run) -> Panel:
    series, began = run.sampling.series, run.began
    bouncer = run.scenario.behind == "pgbouncer"
    return Panel(
        "Sessions on the server",
        [
            Line("open", [(m.at - began, m.total) for m in series], "one", filled=True),
            Line("active", [(m.at - began, m.active) for m in series], "two"),
            Line(
                "idle in transaction", [(m.at - began, m.in_transaction) for m in series], "three"
            ),
        ],
        limit=run.scenario.pool_size if bouncer else run.scenario.budget,
        limit_name="PgBouncer's pool" if bouncer else "MAX_CONNS of all",
    )


def _users(run: Run) -> list[tuple[float, float]]:
    """As the table of stages has it."""
    points, before = [(0.0, 0.0)], 0.0
    for index, stage in enumerate(run.scenario.stages):
        begin, end = run.stage(index)
        there = min(end, begin + abs(stage.users - before) / stage.spawn_rate)
        points += [(begin, before), (there, float(stage.users)), (end, float(stage.users))]
        before = stage.users
    return points


def _rates(run: Run) -> list[Line]:
    """Of each site, if there are several."""
    styles = ("one", "two", "three")
    lines = []
    for index, site in enumerate(run.scenario.sites):
        found = {each.at: each.answers.count for each in run.seconds if each.site == index}
        name = site.name if len(run.scenario.sites) > 1 else "answered"
        points = [(at + 0.5, float(found.get(at, 0))) for at, _ in run.every_second()]
        lines.append(Line(name, points, styles[index % 3]))
    return lines


def _failures_per_second(run: Run) -> Line:
    points = [(at + 0.5, float(each.failed)) for at, each in run.every_second()]
    return Line("failed", points, "alert", filled=True)
