"""A whole request: a greenlet of its own, one row by its primary key, and its end."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import gevent
from gevent.event import AsyncResult
from gevent.queue import SimpleQueue

from ..clock import Clock
from . import site

CONCURRENT = 20

Request = Callable[[int], None]


def prepare(told: dict[str, Any]) -> Callable[[int], dict[str, float]]:
    """``arguments``: whether the greenlets live ``long``, as persistent connections need it, or
    new ones get a connection ``handed`` on by the one before.
    """
    site.configure(told)
    read = site.make_read()

    def request(number: int) -> None:
        read(number)
        site.end_request()

    if told["arguments"].get("long"):
        serve = Crew(request).serve
    elif told["arguments"].get("handed"):
        serve = partial(anew, site.handing_on(request))
    else:
        serve = partial(anew, request)

    def run(count: int) -> dict[str, float]:
        with (clock := Clock()):
            serve(count)
        return clock.figures(count)

    return run


def all_at_once(request: Request) -> Callable[[int], dict[str, float]]:
    """A run of requests that begin together, each in a greenlet of its own."""

    def run(count: int) -> dict[str, float]:
        with (clock := Clock()):
            requests = [gevent.spawn(request, number) for number in range(count)]
            gevent.joinall(requests, raise_error=True)
        return clock.figures(count)

    return run


def anew(request: Request, count: int) -> None:
    """A greenlet to each request, 20 at a time: the end of one is the beginning of the next."""
    numbers = iter(range(count))
    done: AsyncResult[None] = AsyncResult()
    running = CONCURRENT

    def serve(number: int) -> None:
        nonlocal running
        try:
            request(number)
        except Exception as error:
            done.set_exception(error)
            return
        following = next(numbers, None)
        if following is not None:
            gevent.spawn(serve, following)
            return
        running -= 1
        if not running:
            done.set()

    for _ in range(CONCURRENT):
        gevent.spawn(serve, next(numbers))
    done.get()


class Crew:
    """20 greenlets that live as long as the process, each with its connection."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._orders: SimpleQueue[range] = SimpleQueue()
        self._ends: SimpleQueue[Exception | None] = SimpleQueue()
        for _ in range(CONCURRENT):
            gevent.spawn(self._work)

    def serve(self, count: int) -> None:
        for _ in range(CONCURRENT):
            self._orders.put(range(count // CONCURRENT))
        for error in [self._ends.get() for _ in range(CONCURRENT)]:
            if error is not None:
                raise error

    def _work(self) -> None:
        while True:
            end = None
            try:
                for number in self._orders.get():
                    self._request(number)
            except Exception as error:
                end = error
            self._ends.put(end)
