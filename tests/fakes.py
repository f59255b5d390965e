"""A driver without a server, for the tests of the pool alone."""

from __future__ import annotations

import contextlib
import itertools
import socket
from typing import Any, Callable

from django_db_geventpool import hubs
from django_db_geventpool.checkout import Checkout
from django_db_geventpool.config import PoolConfig
from django_db_geventpool.drivers import Canceller, State
from django_db_geventpool.pool import Pool

OperationalError = RuntimeError

_numbers = itertools.count(1)


class FakeConnection:
    """A connection whose state the test sets, on a socket whose other end is here too."""

    def __init__(self) -> None:
        self.number = next(_numbers)
        self.state = State.READY
        self.log: list[str] = []
        self.on_rollback: Callable[[], object] = lambda: None
        self.on_cancel: Callable[[], object] = lambda: None
        self.server_answers = True
        self.deaf_to_cancels = 0
        self._ours, self._servers = socket.socketpair()
        self._ours.setblocking(False)

    def fileno(self) -> int:
        return self._ours.fileno()

    def hang_up(self) -> None:
        """As a server does that ends a session."""
        with contextlib.suppress(OSError):  # it has already
            self._servers.shutdown(socket.SHUT_RDWR)
        self._servers.close()

    def say(self, answer: bytes) -> None:
        """As a server does that answers a statement."""
        self._servers.send(answer)

    def cancel(self) -> None:
        self.on_cancel()
        self.log.append("cancel")
        if self.log.count("cancel") > self.deaf_to_cancels:
            self.say(b"canceled")

    def rollback(self) -> None:
        self.on_rollback()
        self.log.append("rollback")
        self.state = State.READY

    def close(self) -> None:
        if self.state is not State.DEAD:
            if self.server_answers:  # the goodbye
                self.hang_up()
            self._ours.close()
        self.state = State.DEAD
        self.log.append("close")


def make_green(hub: hubs.Hub) -> None:
    raise AssertionError("nothing to make green")


def state(connection: FakeConnection) -> State:
    return connection.state


def condition(connection: FakeConnection) -> tuple[Any, ...]:
    return connection.state, "as opened"


def restore(connection: FakeConnection, condition: tuple[Any, ...]) -> None:
    connection.log.append(f"restored {condition[1]}")


def canceller(connection: FakeConnection) -> Canceller:
    return lambda hub, timeout: connection.cancel()


def discard(connection: FakeConnection) -> None:
    connection.log.append("discarded")


class Opener:
    """Opens connections of one kind; the test may change how."""

    def __init__(self, connect: Callable[[], FakeConnection] = FakeConnection) -> None:
        self.connect = connect

    def set_up(self, connection: FakeConnection) -> None:
        pass


PLAIN = Opener()


class Borrower:
    """Somebody with a connection of a pool."""

    def __init__(self, pool: Pool, opener: Opener = PLAIN) -> None:
        self.pool = pool
        self.opener = opener
        self.checkout: Checkout | None = None
        self.shared = False

    def place(self, kind: type[Checkout] = Checkout) -> Checkout:
        """One in the pool, for one borrowing after another."""
        return kind(self.pool, self, self.opener)

    def take(self) -> FakeConnection:
        self.checkout = self.pool.acquire(self.place())
        connection: FakeConnection = self.checkout.connection
        return connection

    def give(self) -> None:
        assert self.checkout is not None
        checkout, self.checkout = self.checkout, None
        self.pool.release(checkout)

    def use(self) -> FakeConnection:
        """Take and give back; the connection that it was."""
        connection = self.take()
        self.give()
        return connection

    def owner_ended(self) -> bool:
        if self.shared:
            return False
        self.let_go()
        return True

    def let_go(self) -> None:
        self.checkout = None


class WatchedCheckout(Checkout):
    """One that a test can look after."""

    __slots__ = ("__weakref__",)


def make_pool(**options: Any) -> Pool:
    import sys

    config = PoolConfig.from_settings("fake", {"OPTIONS": options})
    return Pool("fake", config, hubs.load(), sys.modules[__name__])
