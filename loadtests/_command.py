"""The command line of the scenarios: ``python -m loadtests NAME ...``."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from demo import run
from loadtests import _page, _play, _rules, scenarios
from loadtests._judge import summary, table
from loadtests._record import Record, summary_table
from matrix import ROOT, postgres

REPORT = ROOT / "loadtests" / "report"
ALL = "all"


def names_in(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The scenarios, which come first, and the options after them."""
    count = next((i for i, each in enumerate(arguments) if each.startswith("-")), len(arguments))
    return list(arguments[:count]), list(arguments[count:])


def parse(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Our own options, and Locust's."""
    parser = argparse.ArgumentParser(
        prog="python -m loadtests NAME ...",
        allow_abbrev=False,
        description="Play scenarios; NAME is one of " + ", ".join((*scenarios.NAMES, ALL)) + ".",
        epilog="Everything else goes to Locust: --master --expect-workers 2, or --worker "
        "--master-host HOST on the other machines.",
    )
    parser.add_argument("--json", metavar="FILE", type=Path, help="store all figures here, too")
    parser.add_argument(
        "--minutes",
        metavar="N",
        type=float,
        help="how long it takes, its longest stage made longer",
    )
    parser.add_argument(
        "--report", metavar="FOLDER", type=Path, default=REPORT, help="instead of loadtests/report"
    )
    parser.add_argument(
        "--bind",
        metavar="HOST",
        default="127.0.0.1",
        help="where the sites listen; Locust's workers on other machines must reach that",
    )
    return parser.parse_known_args(arguments)


def main(names: list[str], arguments: Sequence[str]) -> int:
    """Play the scenarios of these names, one after the other.

    :return: 0 all have passed, 1 some have failed, 2 some could not be played.
    """
    wrong = [name for name in names if name not in (*scenarios.NAMES, ALL)]
    if wrong:
        known = ", ".join((*scenarios.NAMES, ALL))
        print(f"error: {wrong[0]!r} is no scenario; these are: {known}.", file=sys.stderr)
        return 2
    options, for_locust = parse(arguments)
    if "--worker" in for_locust:
        return work(names[0], for_locust)
    names = list(scenarios.NAMES) if ALL in names else list(dict.fromkeys(names))
    records, unplayed = [], []
    for name in names:
        try:
            record = played(name, options, for_locust)
        except (postgres.ServerUnavailable, run.SiteUnavailable) as problem:
            print(f"error: {name}: {problem}", file=sys.stderr)
            unplayed.append(name)
            continue
        records.append(record)
        leave(record, options.report)
    conclude(records, options)
    if unplayed:
        return 2
    return 0 if all(record.passed for record in records) else 1


def played(name: str, options: argparse.Namespace, for_locust: Sequence[str]) -> Record:
    scenario = scenarios.load(name)
    if options.minutes:
        scenario = scenario.lasting(options.minutes)
    print(f"\n== {name}, {scenario.seconds:.0f} s: {scenario.question}", flush=True)
    options.report.mkdir(parents=True, exist_ok=True)
    with (options.report / f"{name}.log").open("w", encoding="utf-8") as log:
        done = _play.play(name, scenario, options.bind, for_locust, log)
    record = Record(name, done, tuple(_rules.judge(done)))
    return record


def leave(record: Record, folder: Path) -> None:
    """The report of one, as a page, as JSON and in words."""
    (folder / f"{record.name}.json").write_text(json.dumps(record.as_json()) + "\n", "utf-8")
    (folder / f"{record.name}.html").write_text(_page.page(record), "utf-8")
    told = f"{table(record.criteria)}\n\n{folder / record.name}.html\n{summary(record.criteria)}"
    print(f"\n{told}", flush=True)


def conclude(records: Sequence[Record], options: argparse.Namespace) -> None:
    """The summary of all; the verdict is the last line."""
    if options.json:
        figures = [record.as_json() for record in records]
        options.json.write_text(json.dumps(figures) + "\n", "utf-8")
    if len(records) > 1:
        (options.report / "index.html").write_text(_page.index(records), "utf-8")
        print(f"\n{summary_table(records)}\n\n{options.report / 'index.html'}")
        failed = [record.name for record in records if not record.passed]
        print(f"VERDICT: FAILED ({', '.join(failed)})" if failed else "VERDICT: passed", flush=True)


def work(name: str, for_locust: Sequence[str]) -> int:
    """Make load for a master elsewhere, which has the site and judges it."""
    return subprocess.call(_play.command(for_locust), cwd=ROOT, env=_play.environ(name))
