"""One session on the server, from the connect to its very end."""

from __future__ import annotations

import _socket
import contextlib
import math
import weakref
from collections.abc import Callable
from os import dup, dup2
from typing import Any, Protocol

from .drivers import Connection, Driver, State
from .hubs import READ, Hub

#: How long a session may take to end once it has been told to, in seconds. Its slot is given on
#: after that in any case: a server that does not answer must not take the pool down with it.
END_TIMEOUT = 1.0
#: For how long a session counts as alive after it has been looked at, in seconds.
LOOK_AFTER = 0.001
#: Seconds after which a statement is cancelled again.
CANCEL_AGAIN = 0.1
#: How long the statements may take that Django sends on a new connection, in seconds.
SET_UP_TIMEOUT = 5.0


class Opener(Protocol):
    """Opens connections of one kind: those that can stand in for each other.

    A session is lent only to who asks for the opener that made it.
    """

    def connect(self) -> Connection:
        """A physical connection. May wait, and may fail."""

    def set_up(self, connection: Connection) -> None:
        """Do to a new connection, or to one after DISCARD ALL, what its borrowers expect."""


class Session:
    """A physical connection with what the pool must know of it beyond the connection object.

    The file descriptor is a duplicate of the connection's own: it can still be watched when the
    connection object has closed itself, as psycopg2 does when a wait is interrupted, although
    the server goes on with the statement.
    """

    __slots__ = (
        "__weakref__",
        "_cancel",
        "_condition",
        "_driver",
        "_fd",
        "_hub",
        "_read_condition",
        "_readable",
        "_unwatch",
        "connection",
        "cursors",
        "expires_at",
        "generation",
        "idle_since",
        "is_new",
        "lent_at",
        "looked_at",
        "opener",
        "told_of",
    )

    def __init__(self, driver: Driver, hub: Hub, opener: Opener, generation: int) -> None:
        self.opener = opener
        #: Which closing of the pool it was opened after; see Pool.close().
        self.generation = generation
        #: When its lifetime is over, and since when nobody has it; in the hub's time.
        self.expires_at = math.inf
        self.idle_since = 0.0
        #: When it was lent last.
        self.lent_at = 0.0
        #: The loan (its lent_at) that was complained about.
        self.told_of = -1.0
        #: From its connect to its first borrower, if nobody has to wait for that.
        self.is_new = True
        #: When the pool saw last that the server had not said goodbye.
        self.looked_at = 0.0
        #: Of the present borrower, who must not reach the next one's transaction with them.
        self.cursors: set[weakref.ref[Any]] = set()
        self._driver = driver
        self._read_condition = driver.condition
        self._hub = hub
        self._fd = -1
        self.connection = connection = opener.connect()
        self._unwatch: Callable[[], object] = do_nothing
        try:
            self._unwatch = hub.keep_watcher(connection.fileno())
            self._cancel = driver.canceller(connection)
            # Windows cannot duplicate a socket in this way: there the end is not waited for.
            with contextlib.suppress(OSError):
                self._fd = dup(connection.fileno())
            self._readable = hub.poller(self._fd) if self._fd >= 0 else _never
        except BaseException:
            self.close()
            raise

    def set_up(self) -> None:
        """connect_timeout is over with the login; a server can fall silent after that as well."""
        try:
            with self._hub.limit(SET_UP_TIMEOUT):
                self.opener.set_up(self.connection)
            self._condition = self._read_condition(self.connection)
        except TimeoutError:
            raise self._driver.OperationalError(
                f"a new connection could not be set up within {SET_UP_TIMEOUT:.0f} s: "
                "the server does not answer"
            ) from None
        if self.state is not State.READY:
            raise self._driver.OperationalError(
                f"a new connection is {self.state.value} after its set-up: a receiver of "
                "connection_opened has to end the transaction that it begins"
            )

    def __del__(self) -> None:
        try:
            self._forget()
        except Exception:
            return  # at the end of the process all may be gone, contextlib too

    @property
    def state(self) -> State:
        """What the client library believes; no I/O."""
        return self._driver.state(self.connection)

    def is_alive(self) -> bool:
        """Whether a session can be lent, as far as can be told without asking the server.

        Nothing is due from the server while nobody uses it: what can be read is its goodbye. One
        that was just opened is not looked at, so that a server that says more than it should cannot
        make the pool open one connection after the other.
        """
        if self.is_new:
            return True
        now = self._hub.monotonic()
        if now - self.looked_at < LOOK_AFTER:  # each look is a call into the kernel
            return True
        self.looked_at = now
        return not self._readable()

    def add_cursor(self, cursor: Any) -> None:
        self.cursors.add(weakref.ref(cursor, self.cursors.discard))

    def remove_cursor(self, cursor: Any) -> None:
        self.cursors.discard(weakref.ref(cursor))

    def is_clean(self) -> bool:
        """Whether it can go on to the next borrower as it is. No I/O."""
        return not self.cursors and self._read_condition(self.connection) == self._condition

    def reset(self) -> State:
        """Roll back what is open and restore what a borrower may have changed.

        Anything but READY as its answer means that nobody may use the connection again.
        """
        state = self.state
        if state is State.DIRTY:
            self.connection.rollback()
            state = self.state
        if state is State.READY:
            self._close_cursors()
            self._driver.restore(self.connection, self._condition)
            state = self.state
        return state

    def renew(self) -> State:
        """Like reset(), and make the server forget all that a borrower has left in the session.

        https://www.postgresql.org/docs/current/sql-discard.html
        """
        state = self.reset()
        if state is State.READY:
            self._driver.discard(self.connection)
            self.opener.set_up(self.connection)
            state = self.state
        return state

    def _close_cursors(self) -> None:
        """An iterator that is freed later would else send its CLOSE to the next borrower."""
        while self.cursors:
            cursor = self.cursors.pop()()
            if cursor is not None:
                cursor.close()

    def end(self) -> None:
        """Cancel what runs, close, and return when the server has let go of the session.

        Closing alone would leave the server with a session that the pool no longer counts: a
        backend notices the goodbye only between statements. It closes its socket as it exits,
        after it has left pg_stat_activity, so an end of file tells. Bounded by END_TIMEOUT. May be
        called again where it was interrupted.
        """
        deadline = self._hub.monotonic() + END_TIMEOUT
        self._end_waits()  # first: from here on what the server says is read here
        if self.state not in (State.READY, State.DIRTY):
            self._stop(deadline)
            self._end_waits()  # somebody may have begun meanwhile
        self.connection.close()
        while not self._gone() and (left := deadline - self._hub.monotonic()) > 0:
            self._hub.wait_io(self._fd, READ, left)
        self._forget()

    def _stop(self, deadline: float) -> None:
        """Cancel what runs; again if the server says nothing, as it had not begun with it then.

        Whatever it has said counts as a beginning.
        """
        has_spoken = False
        while (said := self._read()) != b"" and (left := deadline - self._hub.monotonic()) > 0:
            has_spoken = has_spoken or said is not None
            # If that fails, the statement may still come to its end in time.
            with contextlib.suppress(Exception), self._hub.limit(left):
                self._cancel(self._hub, left)
            if has_spoken or self._hub.wait_io(self._fd, READ, min(left, CANCEL_AGAIN)):
                break

    def close(self) -> None:
        """Say goodbye and wait for nothing."""
        self.connection.close()
        self._forget()

    def _end_waits(self) -> None:
        """A cursor that is garbage is closed by whichever greenlet happens to collect it.

        If the connection comes back meanwhile, that greenlet still waits for an answer. It must
        not touch the connection once that is closed: to a driver in C that is freed memory.
        """
        if self.state is not State.DEAD:
            message = "this connection was given back, and dropped, while somebody waited on it"
            error = self._driver.OperationalError(message)
            self._hub.end_waits(self.connection.fileno(), error)

    def fds(self) -> list[int]:
        """Its file descriptors: the connection's own, and the duplicate."""
        fds = [self._fd]
        with contextlib.suppress(Exception):  # it has closed itself
            fds.append(self.connection.fileno())
        return fds

    def _gone(self) -> bool:
        """Whether the server's side is closed. Throws away what was not read yet; no waiting."""
        return self._read() == b""

    def _read(self) -> bytes | None:
        """What the server has said; b"" if its side is closed, None if there is nothing.

        (libpq makes its sockets non-blocking, and a duplicate is the same socket.)
        """
        if self._fd < 0:
            return b""
        try:
            return self._hub.read_fd(self._fd)
        except BlockingIOError:
            return None
        except OSError:  # reset by the server: gone as well
            return b""

    def _forget(self) -> None:
        unwatch, self._unwatch = self._unwatch, do_nothing
        unwatch()
        fd, self._fd = self._fd, -1
        if fd >= 0:
            self._hub.close_fd(fd)


def sever(fds: list[int]) -> None:
    """In a forked child: let the descriptors that it shares with its parent lead nowhere.

    The child has the greenlets of its parent, too, and its hub goes on with them: they would take
    answers away that the parent waits for.
    """
    ours, theirs = _socket.socketpair()  # not the one that a hub has patched
    theirs.close()
    for fd in fds:
        if fd >= 0:
            dup2(ours.fileno(), fd)
    ours.close()


def _never() -> bool:
    return False


def do_nothing() -> None: ...
