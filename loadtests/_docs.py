"""The table of scenarios in ``docs/load.md``: ``python -m loadtests._docs`` writes it anew."""

from __future__ import annotations

from loadtests import scenarios
from loadtests._scenario import Scenario
from matrix import ROOT, markers

PAGE = ROOT / "docs" / "load.md"
BEGIN = "<!-- scenarios: begin (python -m loadtests._docs) -->"
END = "<!-- scenarios: end -->"


def table() -> str:
    rows = [("scenario", "question", "stages", "passes if"), ("---",) * 4]
    for name in scenarios.NAMES:
        scenario = scenarios.load(name)
        passes = "; ".join(check.words for check in scenario.passes)
        rows.append((f"`{name}`", scenario.question, stages(scenario), passes))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def stages(scenario: Scenario) -> str:
    """And what happens meanwhile."""
    told = [f"{stage.users:,} users for {stage.seconds:g} s" for stage in scenario.stages]
    for each in scenario.disturbances:
        lasting = f" for {each.seconds:g} s" if each.seconds else ""
        told.append(f"{each.what} after {each.at:g} s{lasting}")
    return ", ".join(told)


def main() -> None:
    before, _, after = markers.split(PAGE.read_text("utf-8"), BEGIN, END)
    PAGE.write_text(f"{before}\n\n{table()}\n\n{after}", "utf-8")


if __name__ == "__main__":
    main()
