"""Requests that mostly wait for something else than the database, far more than connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
from gevent.lock import BoundedSemaphore

from . import site
from .request import Request, all_at_once

READS = 2
#: Seconds of other waiting after each read: a service that is asked, for example.
PAUSE = 0.05


def prepare(told: dict[str, Any]) -> Callable[[int], dict[str, float]]:
    """``arguments``: whether so many connections are ``handed`` on from one read to the next."""
    site.configure(told)
    read = site.make_read()
    handed = told["arguments"].get("handed")
    if handed:
        read = few_at_once(handed, site.handing_on(read))

    def request(number: int) -> None:
        for _ in range(READS):
            read(number)
            gevent.sleep(PAUSE)
        site.end_request()

    run = all_at_once(request)
    run(1)  # the settings are looked at with the first query
    return run


def few_at_once(number: int, request: Request) -> Request:
    places = BoundedSemaphore(number)

    def serve(argument: int) -> None:
        with places:
            request(argument)

    return serve
