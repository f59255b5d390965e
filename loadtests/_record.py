"""A scenario that was played, with the verdict: as JSON, and as a row of the summary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from loadtests._judge import Criterion
from loadtests._run import Run


@dataclass(frozen=True)
class Record:
    name: str
    run: Run
    criteria: tuple[Criterion, ...]

    @property
    def passed(self) -> bool:
        return all(criterion.ok for criterion in self.criteria)

    @property
    def failed(self) -> list[str]:
        return [criterion.name for criterion in self.criteria if not criterion.ok]

    @property
    def figures(self) -> dict[str, str]:
        """What is told of each in the summary, with the heading of its column."""
        run, scenario = self.run, self.run.scenario
        answers = run.answers()
        series = run.sampling.series
        most = max((moment.total for moment in series), default=0)
        limit = scenario.pool_size or scenario.budget
        return {
            "seconds": f"{scenario.seconds:.0f}",
            "users": str(max(stage.users for stage in scenario.stages)),
            "requests/s": f"{answers.count / scenario.seconds:.0f}",
            "failed": f"{answers.failure_ratio * 100:.2f} %",
            "p50": f"{answers.percentile(0.5):.0f} ms",
            "p95": f"{answers.percentile(0.95):.0f} ms",
            "p99": f"{answers.percentile(0.99):.0f} ms",
            "sessions": f"{most} of {limit}",
            "waited": str(run.end.waits),
        }

    def as_json(self) -> dict[str, Any]:
        """What was measured and judged; not the declaration, which is code."""
        run = replace(self.run, scenario=None)  # type: ignore[arg-type]
        return {
            "name": self.name,
            "question": self.run.scenario.question,
            "stages": [asdict(stage) for stage in self.run.scenario.stages],
            "passed": self.passed,
            "criteria": [asdict(criterion) for criterion in self.criteria],
            "run": asdict(run),
        }


def summary_table(records: Sequence[Record]) -> str:
    """One aligned line for each scenario, with a heading."""
    if not records:
        return ""
    heading = ["scenario", *records[0].figures, "verdict"]
    rows = [heading] + [
        [each.name, *each.figures.values(), "passed" if each.passed else "FAILED"]
        for each in records
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(heading))]
    last = len(heading) - 1
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in (0, last) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths))
        ).rstrip()
        for row in rows
    )
