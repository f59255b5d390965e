"""The races, run: every contender in turn, round after round."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from matrix.addresses import Server

from . import envs, pgbench, teams
from .figures import Figures
from .peers import PEERS
from .plan import PGBENCH, Race, gated, peer_of
from .record import Record
from .teams import Refused, Worker, WorkerFailed

Say = Callable[[str], object]


@dataclass(frozen=True)
class Scale:
    """How much is run."""

    rounds: int
    quick: bool = False

    def count(self, race: Race) -> int:
        return race.quick if self.quick else race.count

    def rounds_of(self, race: Race) -> int:
        return max(min(self.rounds, 2), self.rounds // 3) if race.slow else self.rounds


def run(race: Race, scale: Scale, server: Server, record: Record, say: Say) -> None:
    """Add the rounds of *race* to *record*.

    :raises WorkerFailed: if a contender breaks down.
    """
    rounds: dict[str, list[Figures]] = {}
    absent: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        runners: dict[str, Callable[[int], Figures]] = {}
        for contender in race.contenders:
            with _absence(race, contender, absent):
                runner = _runner(race, contender, server, record, stack)
                # What is done only once: connects, prepared statements, caches of code.
                if not race.fresh:
                    runner(max(1, scale.count(race) // 10))
                runners[contender] = runner
        for number in range(scale.rounds_of(race)):
            say(f"{race.name}: round {number + 1} of {scale.rounds_of(race)}")
            # To and fro: what grows all the time, a disturbance too, is nobody's disadvantage.
            for contender in list(runners)[:: -1 if number % 2 else 1]:
                if contender not in absent:
                    with _absence(race, contender, absent):
                        figures = runners[contender](scale.count(race))
                        rounds.setdefault(contender, []).append(figures)
    record.rounds[race.name] = rounds
    if absent:
        record.absent[race.name] = absent


@contextlib.contextmanager
def _absence(race: Race, contender: str, absent: dict[str, str]) -> Iterator[None]:
    """Note who cannot run here, if that is to be expected of him.

    :raises WorkerFailed: if it is not.
    """
    try:
        yield
    except (Refused, pgbench.PgbenchAbsent) as reason:
        if contender != PGBENCH and contender not in race.optional:
            raise WorkerFailed(f"{contender} is refused: {reason}") from None
        absent[contender] = str(reason)


def profile(races: Sequence[Race], scale: Scale, server: Server, record: Record, say: Say) -> None:
    """Add to *record* where the time of a request goes, with us and with the reference."""
    for race in races:
        for contender in gated(race).contenders:
            say(f"profile: {contender}")
            env = envs.env(PEERS[peer_of(contender)])
            with teams.worker(race, contender, env, server) as worker:
                record.versions.update(worker.versions)
                worker.run(scale.count(race) // 10)
                record.profiles[contender] = worker.profile(2 * scale.count(race))


def _runner(
    race: Race, contender: str, server: Server, record: Record, stack: contextlib.ExitStack
) -> Callable[[int], Figures]:
    """What makes one run of a contender and returns its figures."""
    if contender == PGBENCH:
        pgbench.find()
        return lambda count: pgbench.run(server, count)
    env = envs.env(PEERS[peer_of(contender)])

    def start(into: contextlib.ExitStack) -> Worker:
        worker = into.enter_context(teams.worker(race, contender, env, server))
        record.versions.update(worker.versions)
        return worker

    def run_fresh(count: int) -> Figures:
        with contextlib.ExitStack() as own:
            return start(own).run(count)

    return run_fresh if race.fresh else start(stack).run
