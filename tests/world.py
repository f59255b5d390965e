"""A hub, a driver, a server and a clock in one hand: nothing happens but what a chooser chooses.

Under this hub the pool's own code runs unchanged. A step lets one greenlet run to its next switch
point. Before each step the world lists what may happen next: any greenlet that is ready may go on,
what it waits for may fail, any greenlet may be killed or hit by a Timeout, the server may end a
session, time may pass. What the pool believes is then compared with what is there.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Callable, NoReturn

import greenlet
import pytest

from django_db_geventpool import session as session_module
from django_db_geventpool.drivers import State
from django_db_geventpool.hubs import Owner, OwnerReference

#: Seconds that a statement runs on if its client has gone without cancelling it.
STATEMENT = 60.0
#: A pool that keeps MIN_CONNS open replaces them for ever. After so many seconds nobody looks.
HORIZON = 100.0


class Violation(AssertionError):
    """The pool broke a promise."""


class Killed(BaseException):
    """As gevent's GreenletExit."""


class Timeout(BaseException):
    """As gevent.Timeout: hits anywhere, and the program goes on."""


class Lost(Exception):
    """The connection to the server is gone."""


class Refused(Exception):
    """The server takes no connection."""


class Task:
    """One greenlet. Clients may be hit by Timeouts, the server's own work by nothing."""

    def __init__(self, world: World, kind: str, function: Callable[..., object], args: Any) -> None:
        self.kind = kind  # "client", "server", or what the pool calls the function
        self.greenlet = greenlet.greenlet(self._run, world.main)
        self.started = self.done = False
        self.error: BaseException | None = None  # thrown into it when it goes on
        self.faults: tuple[type[Exception], ...] = ()  # how what it waits for may fail
        self.at_end: list[Callable[[Any], object]] = []
        self._world, self._function, self._args = world, function, args

    def _run(self, _: object = None) -> None:
        try:
            self._function(*self._args)
        except (Killed, Timeout, Violation, greenlet.GreenletExit) as error:
            if isinstance(error, Violation):
                raise
        except BaseException as error:
            raise Violation(f"{self.kind} ended with {error!r}") from error
        finally:
            self.done = True
            self._function = self._args = None  # type: ignore[assignment]
            callbacks, self.at_end = self.at_end, []
            for callback in callbacks:
                self._world.spawn(callback, self)

    def __repr__(self) -> str:
        return f"{self.kind}#{id(self) % 1000}"


class Timer:
    def __init__(self, due: float, ring: Callable[[], object]) -> None:
        self.due, self.ring = due, ring


class Lock:
    """Whoever would switch while it is held is wrong."""

    held = False

    def acquire(self) -> None:
        if self.held:
            raise Violation("the lock is taken twice")
        self.held = True

    def release(self) -> None:
        self.held = False

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def _is_owned(self) -> bool:
        return self.held


class Waiter:
    def __init__(self, world: World) -> None:
        self._world = world
        self._task: Task | None = None
        self._woken = False

    def wait(self, timeout: float | None) -> None:
        if self._woken:
            return
        self._task = self._world.current
        try:
            with self._world.alarm(timeout):
                self._world.block()
        finally:
            self._task = None

    def wake(self) -> None:
        self._woken = True
        if self._task is not None:
            self._world.make_ready(self._task)


class ServerSession:
    """A backend on the server. It notices a goodbye only when no statement runs."""

    def __init__(self, world: World, deaf: bool) -> None:
        self.deaf = deaf
        self.busy = self.said_goodbye = self.ended = False
        self.has_answered = False
        self._world = world
        self._watching: list[Task] = []

    def goodbye(self) -> None:
        self.said_goodbye = True
        if not self.deaf and not self.ended:
            if self.busy:
                self._world.after(STATEMENT, self.stop)
            else:
                self._world.spawn_server(self.end)

    def stop(self) -> None:
        """The statement is over: it was cancelled, or it came to its end."""
        self.busy, self.has_answered = False, True
        self._wake()
        if self.said_goodbye:
            self.end()

    def end(self) -> None:
        self.ended = True
        self._wake()

    def _wake(self) -> None:
        for task in self._watching:
            self._world.make_ready(task)

    def watch(self, timeout: float | None) -> int:
        if self.ended or self.has_answered:
            return 1
        self._watching.append(self._world.current)
        try:
            with self._world.alarm(timeout):
                self._world.block()
        finally:
            self._watching.pop()
        return int(self.ended or self.has_answered)


class Connection:
    """The client's end."""

    def __init__(self, world: World, opener: Opener) -> None:
        self.state = State.READY
        self.opener = opener
        self.user: Task | None = None
        self._world = world
        self.server = world.new_session()
        try:
            world.io(Refused)
        except BaseException:
            self.server.end()
            raise

    def fileno(self) -> int:
        return self._world.new_fd(self.server)

    def statement(self, leaves: State = State.READY) -> None:
        self._check()
        self.state, self.server.busy = State.BUSY, True
        try:
            self._world.io(Lost)
            self._check()
        except Lost:
            self.server.end()
            self.state = State.DEAD
            raise
        self.state, self.server.busy = leaves, False

    def _check(self) -> None:
        if self.server.ended:
            self.state = State.DEAD
            raise Lost

    rollback = statement

    def close(self) -> None:
        if self.state is not State.DEAD:
            self.server.goodbye()
        self.state = State.DEAD


class Opener:
    def __init__(self, world: World) -> None:
        self._world = world

    def connect(self) -> Connection:
        return Connection(self._world, self)

    def set_up(self, connection: Connection) -> None:
        connection.statement()  # a new connection's, and after DISCARD ALL


class World:
    """Hub and driver of one pool, its server, and the choice of what happens next."""

    NAME, IS_GREEN, OperationalError = "world", True, Lost

    def __init__(self, choose: Callable[[int], int], deaf_every: int = 0) -> None:
        self._choose = choose
        self._deaf_every = deaf_every
        self.main = greenlet.getcurrent()
        self.tasks: list[Task] = []
        self.trace: list[str] = []
        self.sessions: list[ServerSession] = []
        self._ready: list[Task] = []
        self._timers: list[Timer] = []
        self._fds: dict[int, ServerSession] = {}
        self._numbers = itertools.count()
        self._now = 0.0
        self._current: Task | None = None
        self.lock = Lock()
        self.opener = Opener(self)

    @contextmanager
    def in_charge(self) -> Iterator[None]:
        """Its file descriptors are none of the system's."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(session_module, "dup", lambda fd: fd)
            patch.setattr(session_module, "LOOK_AFTER", 0.0)
            yield
        for task in self.tasks:  # those of a broken promise
            with suppress(BaseException):
                task.greenlet.throw()

    # -- time and tasks

    @property
    def current(self) -> Task:
        if self._current is None:
            raise Violation("the hub itself would wait")
        return self._current

    def start(self, kind: str, function: Callable[..., object], *args: object) -> Task:
        task = Task(self, kind, function, args)
        self.tasks.append(task)
        self._ready.append(task)
        return task

    def make_ready(self, task: Task) -> None:
        if task not in self._ready and not task.done:
            self._ready.append(task)

    def block(self, *faults: type[Exception]) -> None:
        if self.lock.held:
            raise Violation("a switch while the lock is held")
        task = self.current
        task.faults = faults
        self.main.switch()
        task.faults = ()
        error, task.error = task.error, None
        if error is not None:
            raise error

    def io(self, *faults: type[Exception]) -> None:
        """The answer is there whenever the chooser lets the task go on."""
        self.make_ready(self.current)
        self.block(*faults)

    def after(self, seconds: float, ring: Callable[[], object]) -> Timer:
        timer = Timer(self._now + seconds, ring)
        self._timers.append(timer)
        return timer

    @contextmanager
    def alarm(self, seconds: float | None, error: type[Exception] | None = None) -> Iterator[None]:
        task = self.current

        def ring() -> None:
            if error is not None:
                task.error = error()
            self.make_ready(task)

        timer = None if seconds is None else self.after(seconds, ring)
        try:
            yield
        finally:
            if timer in self._timers:
                self._timers.remove(timer)  # type: ignore[arg-type]

    # -- as the pool's hub

    def make_lock(self) -> Lock:
        return self.lock

    def make_waiter(self) -> Waiter:
        return Waiter(self)

    def spawn(self, function: Callable[..., object], *args: object) -> None:
        self.start(getattr(function, "__name__", "hub"), function, *args)

    call_soon = spawn

    def spawn_server(self, function: Callable[[], object]) -> None:
        self.start("server", function)

    def call_later(self, seconds: float, function: Callable[[], object]) -> Callable[[], object]:
        if self._now + seconds > HORIZON:
            return lambda: None
        timer = self.after(seconds, function)
        return lambda: timer in self._timers and self._timers.remove(timer)

    def sleep(self, seconds: float) -> None:
        with self.alarm(seconds):
            self.block()

    def monotonic(self) -> float:
        return self._now

    def limit(self, seconds: float) -> Any:
        return self.alarm(seconds, TimeoutError)

    def on_owner_end(self, callback: Callable[[Any], object]) -> OwnerReference:
        task = self.current
        task.at_end.append(callback)
        return lambda: task

    def forget_owner(self, reference: OwnerReference, callback: Callable[[Any], object]) -> None:
        task = reference()
        if task is not None and callback in task.at_end:
            task.at_end.remove(callback)

    def current_owner(self) -> object:
        return self.current

    def owner(self, reference: OwnerReference) -> Owner:
        return Owner("a task")

    def wait_io(self, fd: int, events: int, timeout: float | None) -> int:
        return self._fds[fd].watch(timeout)

    def keep_watcher(self, fd: int) -> Callable[[], object]:
        return lambda: None

    def end_waits(self, fd: int, error: Exception) -> None: ...

    def waited_fds(self) -> list[int]:
        return []

    def poller(self, fd: int) -> Callable[[], object]:
        server = self._fds[fd]
        return lambda: server.ended

    def read_fd(self, fd: int) -> bytes:
        server = self._fds[fd]
        if server.ended:
            return b""
        if not server.has_answered:
            raise BlockingIOError
        server.has_answered = False
        return b"canceled"

    def close_fd(self, fd: int) -> None:
        del self._fds[fd]

    def run_blocking(self, function: Callable[[], object], timeout: float) -> NoReturn:
        raise Violation("nothing here blocks")

    # -- as its driver

    def make_green(self, hub: object) -> None: ...

    def state(self, connection: Connection) -> State:
        return connection.state

    def condition(self, connection: Connection) -> tuple[Any, ...]:
        return (connection.state,)

    def restore(self, connection: Connection, condition: tuple[Any, ...]) -> None: ...

    def discard(self, connection: Connection) -> None:
        connection.statement()

    def canceller(self, connection: Connection) -> Callable[..., object]:
        server = connection.server

        def cancel(hub: object, timeout: float) -> None:
            if server.deaf:
                self.sleep(timeout)
            else:
                try:
                    self.io(Lost)
                except Lost:
                    server.deaf = True  # it cannot be reached
                    raise
                server.stop()

        return cancel

    # -- as the server

    def new_session(self) -> ServerSession:
        number = len(self.sessions) + 1
        deaf = bool(self._deaf_every) and number % self._deaf_every == 0
        self.sessions.append(ServerSession(self, deaf))
        return self.sessions[-1]

    def new_fd(self, server: ServerSession) -> int:
        fd = next(self._numbers)
        self._fds[fd] = server
        return fd

    def open_sessions(self) -> int:
        """What pg_stat_activity would show, but for those whose server does not answer."""
        return sum(not (each.ended or (each.deaf and each.said_goodbye)) for each in self.sessions)

    def count(self) -> Counter[str]:
        """The tasks that are not over, by kind."""
        self.tasks = [task for task in self.tasks if not task.done]
        return Counter(task.kind for task in self.tasks)

    # -- what happens next

    def step(self) -> bool:
        """Let one thing happen; False when all are at rest."""
        actions = list(self._usual_actions())
        if not actions:
            return False
        actions += self._unusual_actions()
        action, *args = actions[self._choose(len(actions))]
        self.trace.append(f"{action.__name__} {args}")
        action(*args)
        return True

    def settle(self) -> None:
        """Let all who are ready go on until nobody is."""
        while self._ready:
            self.step()

    def pass_time(self, seconds: float) -> None:
        """Whatever is due within so many seconds happens, in its order."""
        until = self._now + seconds
        self.settle()
        while any(timer.due <= until for timer in self._timers):
            self._pass_time()
            self.settle()
        self._now = until

    def _usual_actions(self) -> Iterator[tuple[Any, ...]]:
        """First of all the one that has been ready for longest goes on."""
        for task in self._ready:
            yield self._go_on, task
        # A server that does not end a session in time is the deaf one.
        if self._timers and not any(task.kind in ("server", "_end") for task in self._ready):
            yield (self._pass_time,)

    def _unusual_actions(self) -> Iterator[tuple[Any, ...]]:
        for task in self._ready:
            for fault in task.faults:
                yield self._go_on, task, fault
        for task in self.tasks:
            if task.started and not task.done and task.kind != "server":
                yield self._go_on, task, Killed
                if task.kind == "client":
                    yield self._go_on, task, Timeout
        for server in self.sessions:
            if not (server.ended or server.busy or server.said_goodbye or server.deaf):
                yield self._end_session, server

    def _go_on(self, task: Task, error: type[BaseException] | None = None) -> None:
        if task in self._ready:
            self._ready.remove(task)
        if error is not None:
            task.error = error()
        task.started = True
        self._current = task
        try:
            task.greenlet.switch()
        finally:
            self._current = None

    def _end_session(self, server: ServerSession) -> None:
        server.end()

    def _pass_time(self) -> None:
        timer = min(self._timers, key=lambda timer: timer.due)
        self._timers.remove(timer)
        self._now = max(self._now, timer.due)
        timer.ring()
