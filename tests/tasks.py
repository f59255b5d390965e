"""Greenlets (or threads) for tests, with the same few names under every hub."""

from __future__ import annotations

import gc
import sys
from contextlib import suppress
from typing import Any, Callable

from .plugin_hub import HUB

TIMEOUT = 30.0


class Task:
    """A function running beside the test."""

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self._function, self._args = function, args
        self._error: BaseException | None = None
        self._value: Any = None
        self.running = True
        self._start()

    def _run(self) -> None:
        try:
            self._value = self._function(*self._args)
        except BaseException as error:
            self._error = error
        finally:
            self.running = False

    def result(self) -> Any:
        """Wait for the end; the value, or the error raised."""
        self.join()
        if self._error is not None:
            raise self._error
        return self._value

    def error(self) -> BaseException | None:
        self.join()
        return self._error


if HUB == "gevent":
    import gevent

    class HubTask(Task):
        def _start(self) -> None:
            self.greenlet = gevent.spawn(self._run)

        def join(self) -> None:
            self.greenlet.join(TIMEOUT)
            assert self.greenlet.ready(), "still running"

        def kill(self) -> None:
            self.greenlet.kill()
            self.running = False  # also if it had not begun

    def pause(seconds: float = 0) -> None:
        gevent.sleep(seconds)

elif HUB == "eventlet":
    import eventlet

    class HubTask(Task):
        def _start(self) -> None:
            self.greenlet = eventlet.spawn(self._run)

        def join(self) -> None:
            with eventlet.Timeout(TIMEOUT), suppress(eventlet.greenlet.GreenletExit):
                self.greenlet.wait()

        def kill(self) -> None:
            self.greenlet.kill()
            pause()
            self.running = False  # also if it had not begun

    def pause(seconds: float = 0) -> None:
        eventlet.sleep(seconds)

else:
    import threading
    import time

    class HubTask(Task):
        def _start(self) -> None:
            self.thread = threading.Thread(target=self._run, daemon=True)
            self.thread.start()

        def join(self) -> None:
            self.thread.join(TIMEOUT)
            assert not self.thread.is_alive(), "still running"

    def pause(seconds: float = 0) -> None:
        time.sleep(seconds or 0.001)


def spawn(function: Callable[..., Any], *args: Any) -> HubTask:
    return HubTask(function, *args)


def collect() -> None:
    """Where an object lives until it is collected (PyPy), collect those that nobody has.

    CPython has freed them already, except for those in a cycle.
    """
    if sys.implementation.name == "pypy":
        gc.collect()


def until(condition: Callable[[], Any], seconds: float = TIMEOUT) -> Any:
    """Let the others run until *condition* holds: for what only the server can tell."""
    import time

    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not come to pass"
        pause(0.002)
    return value
