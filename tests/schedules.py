"""Schedules: what greenlets do with a pool, in every order and with everything that can strike.

A schedule is what was chosen at each step of one run. :func:`near` enumerates those that differ
from the usual course in at most so many places; :func:`anywhere` draws from all of them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Callable

from django_db_geventpool import pool as pool_module
from django_db_geventpool.checkout import Checkout
from django_db_geventpool.config import PoolConfig
from django_db_geventpool.drivers import State
from django_db_geventpool.errors import PoolError
from django_db_geventpool.session import Session

from .world import (
    HORIZON,
    Connection,
    Lost,
    Opener,
    Refused,
    ServerSession,
    Timeout,
    Violation,
    World,
)

#: A run that is not over by then never will be.
MOST_STEPS = 600

Choices = tuple[int, ...]


@dataclass(frozen=True)
class Scenario:
    """Who wants what of which pool."""

    clients: int = 2
    rounds: int = 1
    kinds: int = 1
    max_conns: int = 1
    reuse_conns: int = 1
    min_conns: int = 0
    wait_timeout: float | None = None
    max_idle: float | None = None
    max_lifetime: float | None = None
    reset: str = "rollback"
    leaves: State = State.READY
    gives_back: str = "always"  # or "never", or "unless killed"
    deaf_every: int = 0
    closes_within: float | None = None
    holds: float = 0.0  # seconds between the last statement and the return

    def config(self) -> PoolConfig:
        names = "max_conns reuse_conns min_conns wait_timeout max_idle max_lifetime reset"
        return PoolConfig(**{name: getattr(self, name) for name in names.split()})


SCENARIOS = (
    Scenario(),
    Scenario(clients=3, max_conns=2, reuse_conns=1),
    Scenario(leaves=State.DIRTY, gives_back="unless killed"),
    Scenario(gives_back="never", rounds=2),
    Scenario(clients=2, kinds=2),
    Scenario(wait_timeout=5.0, reuse_conns=0),
    Scenario(reset="discard", leaves=State.DIRTY),
    Scenario(closes_within=5.0, max_conns=2, reuse_conns=2),
    Scenario(closes_within=0.0, rounds=2),
    Scenario(min_conns=1, max_idle=10.0, max_lifetime=30.0),
    Scenario(max_conns=2, reuse_conns=2, max_idle=10.0),
    Scenario(deaf_every=2, leaves=State.DIRTY),
    Scenario(clients=1, rounds=2, kinds=2),
    Scenario(max_lifetime=30.0, holds=40.0),
)


def any_scenario(draw: random.Random) -> Scenario:
    max_conns = draw.randint(1, 3)
    reuse_conns = draw.randint(0, max_conns)
    return Scenario(
        clients=draw.randint(1, 5),
        rounds=draw.randint(1, 2),
        kinds=draw.choice((1, 1, 2)),
        max_conns=max_conns,
        reuse_conns=reuse_conns,
        min_conns=draw.randint(0, reuse_conns),
        wait_timeout=draw.choice((None, None, 0.0, 5.0)),
        max_idle=draw.choice((None, 10.0)),
        max_lifetime=draw.choice((None, 8.0)),
        reset=draw.choice(("rollback", "discard")),
        leaves=draw.choice((State.READY, State.DIRTY)),
        gives_back=draw.choice(("always", "unless killed", "never")),
        deaf_every=draw.choice((0, 0, 3)),
        holds=draw.choice((0.0, 0.0, 0.0, 9.0)),
        closes_within=draw.choice((None, None, None, 0.0, 5.0)),
    )


class _Borrower:
    """A program that uses a connection of the pool as Django's wrapper does."""

    def __init__(self) -> None:
        self.checkout: Checkout | None = None
        self.checkouts: dict[Opener, Checkout] = {}

    def owner_ended(self) -> bool:
        self.let_go()
        return True

    def let_go(self) -> None:
        self.checkout = None
        self.checkouts.clear()


class Run:
    """One schedule of one scenario, checked after each step."""

    def __init__(
        self, scenario: Scenario, choose: Callable[[int], int], module: ModuleType = pool_module
    ) -> None:
        self.scenario = scenario
        self.chosen: list[int] = []
        self.options: list[int] = []
        self._choose = choose
        self._closed: set[ServerSession] = set()
        self._connects = 0  # under way after the last step, if connects fail
        self.world = World(self._next_choice, scenario.deaf_every)
        self.pool = module.Pool("world", scenario.config(), self.world, self.world)
        self._kinds = [Opener(self.world) for _ in range(scenario.kinds)]

    def run(self) -> None:
        """:raises Violation: where the pool broke a promise."""
        for number in range(self.scenario.clients):
            self.world.start("client", self._client, number)
        if self.scenario.closes_within is not None:
            self.world.start("closer", self._closer, self.scenario.closes_within)
        for _ in range(MOST_STEPS):
            going_on = self.world.step()
            self._check()
            if not going_on:
                return self._check_rest()
        raise Violation(f"not over after {MOST_STEPS} steps")

    def _next_choice(self, options: int) -> int:
        choice = min(self._choose(options), options - 1)
        self.options.append(options)
        self.chosen.append(choice)
        return choice

    # -- the programs

    def _client(self, number: int) -> None:
        borrower = _Borrower()
        for turn in range(number, number + self.scenario.rounds):
            try:
                self._use(borrower, self._kinds[turn % len(self._kinds)])
            except (Timeout, Lost, Refused, PoolError):
                pass  # as applications do
            except BaseException:
                if self.scenario.gives_back == "always":
                    self._give_back(borrower)
                raise
            if self.scenario.gives_back != "never":
                self._give_back(borrower)

    def _use(self, borrower: _Borrower, opener: Opener) -> None:
        if borrower.checkout is None:
            checkout = borrower.checkouts.get(opener) or Checkout(self.pool, borrower, opener)
            borrower.checkout = borrower.checkouts[opener] = self.pool.acquire(checkout)
            self._check_loan(checkout.session, opener)
        borrower.checkout.connection.statement(self.scenario.leaves)
        if self.scenario.holds:
            self.world.sleep(self.scenario.holds)

    def _give_back(self, borrower: _Borrower) -> None:
        checkout, borrower.checkout = borrower.checkout, None
        if checkout is not None:
            checkout.connection.user = None
            self.pool.release(checkout)

    def _closer(self, timeout: float) -> None:
        opened_before = set(self.world.sessions)
        self.pool.close(timeout)
        self._closed |= opened_before
        self.pool.open()

    # -- the promises

    def _check_loan(self, session: Session, opener: Opener) -> None:
        connection: Connection = session.connection
        user, connection.user = connection.user, self.world.current
        for promise, kept in (
            ("nobody else has what is lent", user is None or user.done),
            ("what is lent is ready", connection.state is State.READY),
            ("what is lent is of the kind asked for", connection.opener is opener),
            ("what is lent was alive", session.is_new or not connection.server.ended),
        ):
            if not kept:
                raise Violation(f"{promise}: not so")

    def _check(self) -> None:
        for promise, kept in (*self._slots(), *self._waiting(), *self._idle()):
            if not kept:
                raise Violation(f"{promise}: {self.pool.stats()}, {dict(self.world.count())}")

    def _slots(self) -> Iterator[tuple[str, bool]]:
        stats, tasks = self.pool.stats(), self.world.count()
        yield "no slot is used twice", stats.empty >= 0
        yield "each opening slot has its connect", stats.opening == tasks["_open"]
        yield "each closing slot has its end", stats.closing == tasks["_end"]
        yield "the server sees no more than MAX_CONNS", self.world.open_sessions() <= stats.size
        ends = sum(stats.discards.values())
        yield "each end counts once", stats.connects == stats.idle + stats.in_use + ends

    def _waiting(self) -> Iterator[tuple[str, bool]]:
        stats, failing = self.pool.stats(), self.pool._backoff.failures > 0
        yield (
            "nobody waits while something could be done",
            stats.opening >= stats.waiting or stats.empty == 0 or (failing and stats.opening > 0),
        )
        yield (
            "nobody waits while another kind's connection is idle",
            stats.opening + stats.closing >= stats.waiting or stats.idle == 0 or stats.empty > 0,
        )
        connects, self._connects = self._connects, stats.opening if failing else 0
        yield (
            "while connects fail, one is tried at a time",
            self._connects <= max(1, connects) or not connects,
        )

    def _idle(self) -> Iterator[tuple[str, bool]]:
        idle, now = self.pool._idle, self.world.monotonic()
        yield (
            "what was there before the closing is idle no more",
            all(session.connection.server not in self._closed for session in idle),
        )
        yield (
            "nothing idle is older than its lifetime",
            now > HORIZON or all(session.expires_at >= now for session in idle),
        )

    def _check_rest(self) -> None:
        stats, left = self.pool.stats(), self.world.count()
        if left:
            raise Violation(f"somebody is never woken up: {stats}, {dict(left)}")
        if stats.in_use or stats.opening or stats.closing or stats.waiting:
            raise Violation(f"a slot is lost: {stats}")
        max_idle = self.scenario.max_idle
        if max_idle is not None:
            seen = [each for each in self.pool._idle if each.idle_since + max_idle <= HORIZON]
            if len(seen) > self.scenario.min_conns:
                raise Violation(f"some have been idle for too long: {stats}")
        alive = sum(session.is_alive() for session in self.pool._idle)
        if alive != self.world.open_sessions():
            raise Violation(f"the server sees {self.world.open_sessions()}: {stats}")


def near(scenario: Scenario, places: int, module: ModuleType = pool_module) -> Iterator[Run]:
    """Each schedule that differs from the usual course in at most *places* choices, run."""
    todo: list[dict[int, int]] = [{}]
    while todo:
        chosen = todo.pop()
        run = perform(scenario, lambda step, _, chosen=chosen: chosen.get(step, 0), module)
        yield run
        if len(chosen) < places:
            for step in range(max(chosen, default=-1) + 1, len(run.options)):
                todo += [{**chosen, step: choice} for choice in range(1, run.options[step])]


def anywhere(seed: int, module: ModuleType = pool_module) -> Run:
    """A schedule drawn at random, of a scenario drawn at random, run."""
    draw = random.Random(seed)
    unusual = draw.choice((0.05, 0.2, 0.5))
    return perform(
        any_scenario(draw),
        lambda _, options: draw.randrange(options) if draw.random() < unusual else 0,
        module,
    )


def hunt(module: ModuleType) -> None:
    """:raises Violation: if the pool of *module* breaks a promise soon."""
    for scenario in SCENARIOS:
        for _ in near(scenario, places=1, module=module):
            pass
    for seed in range(5000):
        anywhere(seed, module)


def perform(
    scenario: Scenario, choose: Callable[[int, int], int], module: ModuleType = pool_module
) -> Run:
    random.seed(0)  # the pool's jitter
    run = Run(scenario, lambda options: choose(len(run.chosen), options), module)
    try:
        with run.world.in_charge():
            run.run()
    except Violation as violation:
        raise Violation(f"{violation}\n{scenario}\nchosen: {run.chosen}") from violation
    return run
