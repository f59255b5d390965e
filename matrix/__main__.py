"""The matrix, run: ``tox -e matrix``, or ``python -m matrix`` where tox and tox-uv are installed.

Runs every cell that can run here, and writes what came of it to ``matrix/report/``. A cell that has
a result for the sources as they are is not run again; one that was skipped is tried again. What
stands after ``--`` is given to pytest, and makes the run a partial one.

The exit code is 0 if all cells that ran passed, 1 if one failed, 2 if there was no run.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from types import FrameType

from . import junit, markdown, page, record, runner, sources, split
from .cells import Cell, cells
from .postgres import ServerUnavailable, named
from .progress import Progress
from .results import FAILED, PASSED, SKIPPED, Result, Store, write


class CannotRun(Exception):
    """The message is for a person."""


class Interrupted(Exception):
    """Somebody wants the run to end."""


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    own, given = split(arguments)
    parser = argparse.ArgumentParser(
        prog="python -m matrix",
        usage="%(prog)s [options] [-- PYTEST-ARGUMENT ...]",
        description="Run the cells of the matrix that can run here, and report.",
    )
    add = parser.add_argument
    add("--only", nargs="+", metavar="PATTERN", help="the cells that a pattern matches: 'py312-*'")
    add("--failed", action="store_true", help="the cells that failed when they ran last")
    add("--again", action="store_true", help="also what has a result for these sources")
    add("--jobs", type=int, metavar="N", help="cells at the same time; default: three to two cores")
    limit = "seconds for a cell, with its installation (%(default).0f)"
    add("--limit", type=float, default=900.0, metavar="S", help=limit)
    add("--json", type=Path, metavar="FILE", help="store the figures here")
    add("--list", action="store_true", help="run nothing; the cells, and how they ended last")
    add("--page", action="store_true", help="run nothing; draw the report of the last run again")
    add("--readme", action="store_true", help="run nothing; the last run's table into README.md")
    options = parser.parse_args(own)
    options.arguments = tuple(given)
    return options


def select(options: argparse.Namespace, store: Store) -> list[Cell]:
    """:raises CannotRun: for a pattern that matches no cell, and for nothing to run."""
    every = cells()
    for pattern in options.only or ():
        if not any(fnmatchcase(cell.name, pattern) for cell in every):
            raise CannotRun(f"no cell is named {pattern}; --list shows the names")
    chosen = [
        cell
        for cell in every
        if not options.only or any(fnmatchcase(cell.name, each) for each in options.only)
    ]
    if options.failed:
        last = {cell: store.load(cell) for cell in chosen}
        chosen = [cell for cell, result in last.items() if result and result.status == FAILED]
        if not chosen:
            raise CannotRun("no cell failed when it ran last")
    return chosen


def is_known(result: Result | None, options: runner.Options) -> bool:
    """Whether a cell has ended for these sources, and for as many tests."""
    return (
        result is not None
        and (result.fingerprint, result.arguments) == (options.fingerprint, options.arguments)
        and result.status != SKIPPED
    )


def jobs(asked: int | None) -> int:
    """One at a time on a server of the user's: all cells make the same test database there."""
    if named(os.environ) is None:
        return asked or runner.default_jobs(sources.cores())
    if asked and asked > 1:
        raise CannotRun("cells cannot share the server that DATABASE_URL or PGHOST names: --jobs 1")
    return 1


def run(options: argparse.Namespace, store: Store, tox: Sequence[str]) -> int:
    chosen = select(options, store)
    how = runner.Options(
        fingerprint=sources.fingerprint(),
        arguments=options.arguments,
        jobs=jobs(options.jobs),
        limit=options.limit,
        ci=bool(os.environ.get("CI")),
        tox=tox,
    )
    again = options.again or options.failed
    todo = [cell for cell in chosen if again or not is_known(store.load(cell), how)]
    known = f"; {len(chosen) - len(todo)} have run on these sources" if todo != chosen else ""
    print(f"{len(todo)} cells to run, {how.jobs} at a time{known}", flush=True)
    began = time.monotonic()
    try:
        lock = store.lock()
    except BlockingIOError:
        raise CannotRun("another run is under way") from None
    try:
        signalled = run_cells(todo, store, replace(how, lock=(lock,)))
    finally:
        os.close(lock)
    last = record.load_run(store)
    if todo or last is None or last.fingerprint != how.fingerprint:
        goes_on = None if options.again and not options.only else last
        last = record.Run.now(how.fingerprint, how.jobs, time.monotonic() - began, goes_on)
        record.save_run(store, last)
    made = draw(store, last, options.json)
    if signalled:
        print(f"error: ended by signal {signalled}", file=sys.stderr)
        return 128 + signalled
    return verdict(made, chosen)


def run_cells(todo: Sequence[Cell], store: Store, how: runner.Options) -> int:
    """0, or the signal that ended it: then the cells that were running have ended, too."""
    signals: list[int] = []

    def remember(number: int, frame: FrameType | None) -> None:
        signals.append(number)

    def watch(children: Sequence[runner.Child]) -> None:
        progress.running(children)
        if signals:
            raise Interrupted

    progress = Progress(len(todo), sys.stdout)
    before = {each: signal.signal(each, remember) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        for result in runner.run(todo, store, how, watch):
            progress.ended(result)
    except Interrupted:
        return signals[0]
    finally:
        progress.clear()
        for each, handler in before.items():
            signal.signal(each, handler)
    return 0


def draw(store: Store, run: record.Run, figures: Path | None) -> record.Record:
    made = record.record(store, run)
    write(store.folder / "index.html", page.page(made))
    write(store.folder / "matrix.md", markdown.document(made))
    write(store.folder / "junit.xml", junit.merged(list(made.results.values())))
    if figures:
        write(figures, json.dumps(made.figures(), indent=1) + "\n")
    counts = ", ".join(f"{number} {name}" for name, number in made.counts().items() if number)
    print(f"{counts}: {os.path.relpath(store.folder / 'index.html')}")
    return made


def verdict(made: record.Record, chosen: Sequence[Cell]) -> int:
    """The exit code; cells that were not chosen do not count."""
    failed = {result.cell for result in made.failed}
    ran = [cell for cell in chosen if made.status(cell) in (PASSED, FAILED)]
    if not ran:
        raise CannotRun("no cell could run here; the report says why")
    return int(any(cell.name in failed for cell in ran))


def main(
    arguments: Sequence[str], store: Store | None = None, tox: Sequence[str] = runner.TOX
) -> int:
    try:
        options, store = parse(arguments), store or Store()
        if options.list:
            for cell in select(options, store):
                last = store.load(cell)
                print(f"{cell.name}: {last.status if last else record.NOT_RUN}")
            return 0
        if not (options.page or options.readme):
            return run(options, store, tox)
        last_run = record.load_run(store)
        if last_run is None:
            raise CannotRun("nothing has run yet")
        made = draw(store, last_run, options.json)
        if options.readme:
            markdown.into_readme(made)
        return 0
    except (CannotRun, ServerUnavailable, markdown.Unfit) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2


def program() -> int:
    """:func:`main`, whose reader may leave (``| head``): it ends as other programs do then."""
    try:
        code = main(sys.argv[1:])
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes it again
        return 128 + signal.SIGPIPE


if __name__ == "__main__":
    sys.exit(program())
