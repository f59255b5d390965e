"""A pool in a world with a clock of its own, and the programs that use it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from django_db_geventpool.checkout import Checkout
from django_db_geventpool.config import PoolConfig
from django_db_geventpool.pool import Pool

from .world import Task, World


@pytest.fixture
def world() -> Iterator[World]:
    world = World(lambda options: 0)
    with world.in_charge():
        yield world


def make_pool(world: World, **options: Any) -> Pool:
    return Pool("timed", PoolConfig.from_settings("timed", {"OPTIONS": options}), world, world)


class Client:
    """A program that holds a connection until it is told to give it back."""

    def __init__(self, world: World, pool: Pool, opener: Any = None) -> None:
        self.world, self.pool = world, pool
        self.opener = opener or world.opener
        self.checkout: Any = None
        self.error: Exception | None = None
        self.task: Task = world.start("client", self._take)
        world.settle()

    def _take(self) -> None:
        try:
            self.checkout = self.pool.acquire(Checkout(self.pool, self, self.opener))
        except Exception as error:
            self.error = error
            return
        self.world.block()  # until it is told to give it back

    def give(self) -> None:
        checkout, self.checkout = self.checkout, None
        self.world.make_ready(self.task)
        self.world.start("client", self.pool.release, checkout)
        self.world.settle()

    def owner_ended(self) -> bool:
        return False

    let_go = owner_ended


def use(world: World, pool: Pool, number: int = 1) -> None:
    """Open so many connections and give them back, the first one first."""
    clients = [Client(world, pool) for _ in range(number)]
    for client in clients:
        client.give()
