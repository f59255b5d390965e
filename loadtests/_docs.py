"""The table of scenarios in ``docs/load.md``: ``python -m loadtests._docs`` writes it anew."""

from __future__ import annotations

from loadtests import scenarios
from loadtests._scenario import Scenario
from matrix import ROOT

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


def split(text: str) -> tuple[str, str, str]:
    """What is before, between and after the markers."""
    before, _, rest = text.partition(BEGIN)
    between, _, after = rest.partition(END)
    return before, between.strip(), after


def main() -> None:
    before, _, after = split(PAGE.read_text("utf-8"))
    PAGE.write_text(f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
