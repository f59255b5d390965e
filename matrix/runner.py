"""Runs cells, some at the same time: each is a tox of its own, ended in order if need be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from . import ROOT, junit
from .cells import Cell
from .results import SKIPPED, Result, Store, clean, insist, judge

TOX = (sys.executable, "-m", "tox")
#: Seconds after each signal before the next one. pytest stops its server in the first.
STEPS = ((signal.SIGINT, 15.0), (signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0))
PAUSE = 0.1
"""Seconds between looks at the children."""
#: tox tells those that it starts about itself, and takes some of it for its own options.
_OF_ANOTHER_TOX = ("TOX_ENV_NAME", "TOX_ENV_DIR", "TOX_WORK_DIR", "VIRTUAL_ENV")


@dataclass(frozen=True)
class Options:
    fingerprint: str
    arguments: tuple[str, ...] = ()
    """For pytest."""
    jobs: int = 1
    limit: float = 900.0
    """Seconds for a cell, with the time to install it."""
    ci: bool = False
    """Whether a cell that cannot run has failed."""
    tox: Sequence[str] = TOX
    lock: tuple[int, ...] = ()
    """See :func:`matrix.results.Store.lock`."""


def default_jobs(cores: int) -> int:
    """Cells at the same time. The tests wait a lot: two leave a machine of two cores idle for a
    third of the time, three do not."""
    return max(1, cores * 3 // 2)


class Child:
    """The tox of one cell."""

    def __init__(self, cell: Cell, store: Store, options: Options) -> None:
        self.cell, self.limit, self._store = cell, options.limit, store
        self.began = time.monotonic()
        store.forget(cell)
        command = [*options.tox, "run", "-q", "--colored", "no", "-e", cell.name, "--"]
        command += [f"--junitxml={store.junit(cell)}", *options.arguments]
        with store.log(cell).open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=_environ(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=options.lock,
                start_new_session=True,  # a Ctrl-C is for us; we then end all in order
            )

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def send(self, number: int) -> None:
        """As a terminal does: to tox and to all that it has started."""
        if not self.has_ended():
            os.killpg(self._process.pid, number)

    def result(self, too_late: bool = False) -> Result:
        log = self._store.log(self.cell)
        text = clean(log.read_bytes().decode(errors="replace"))
        log.write_text(text, encoding="utf-8")
        code = None if too_late else self._process.returncode
        tests = junit.read(self._store.junit(self.cell))
        found = judge(self.cell, code, tests, text, self.limit)
        return replace(found, seconds=round(self.seconds, 1))


def _environ(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name not in _OF_ANOTHER_TOX}


def stop(children: Sequence[Child]) -> None:
    """End them: politely first."""
    for number, seconds in STEPS:
        for child in children:
            child.send(number)
        until = time.monotonic() + seconds
        while not all(child.has_ended() for child in children):
            if time.monotonic() > until:
                break
            time.sleep(PAUSE)
        else:
            return


def missing_interpreter(cell: Cell) -> Result | None:
    """Asked of the command itself: pyenv has one on PATH for a Python that is not selected."""
    name = cell.interpreter
    try:
        answers = subprocess.run([name, "--version"], capture_output=True, timeout=60).returncode
    except (OSError, subprocess.TimeoutExpired):
        answers = 1
    return Result(cell.name, SKIPPED, f"no {name} on PATH that answers") if answers else None


def run(
    cells: Sequence[Cell],
    store: Store,
    options: Options,
    watch: Callable[[Sequence[Child]], None] = lambda children: None,
) -> Iterator[Result]:
    """The results as they come, kept in *store* already.

    Whoever leaves this early, by closing it or with an exception, ends what is still running; such
    a cell has no result, nor has it that of an earlier run.

    :param watch: called every now and then with what is running; the place to raise from.
    """
    waiting, running = list(cells), list[Child]()
    try:
        while waiting or running:
            for result in _ended(running):
                yield _keep(result, store, options)
            while len(running) < options.jobs and (cell := _next(waiting, running)):
                waiting.remove(cell)
                absent = missing_interpreter(cell)
                if absent is None:
                    running.append(Child(cell, store, options))
                else:
                    yield _keep(absent, store, options)
            watch(running)
            if running:
                time.sleep(PAUSE)
    finally:
        stop(running)


def _next(waiting: Sequence[Cell], running: Sequence[Child]) -> Cell | None:
    """The first that may run beside those that do.

    A cell without a lock has tox build the package, in one environment for all of them.
    """
    building = any(_builds(child.cell) for child in running)
    return next((cell for cell in waiting if not (building and _builds(cell))), None)


def _builds(cell: Cell) -> bool:
    return cell.may_fail or cell.variant == "min"


def _ended(running: list[Child]) -> Iterator[Result]:
    """Take those that have ended, or whose time is over, out of *running*."""
    for child in list(running):
        too_late = child.seconds > child.limit and not child.has_ended()
        if too_late:
            stop([child])
        if child.has_ended():
            running.remove(child)
            yield child.result(too_late)


def _keep(result: Result, store: Store, options: Options) -> Result:
    kept = replace(
        insist(result) if options.ci else result,
        fingerprint=options.fingerprint,
        arguments=options.arguments,
    )
    store.save(kept)
    return kept
