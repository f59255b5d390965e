"""fork() with a used pool: the child opens its own, the parent's sessions stay untouched."""

from __future__ import annotations

import json
import os
from threading import Event
from typing import Any

import pytest

from django_db_geventpool import watch

from .plugin_hub import HUB
from .plugin_proxy import Proxy
from .tasks import pause, spawn, until

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="https://docs.python.org/3/library/os.html"),
    pytest.mark.skipif(
        HUB == "eventlet",
        reason="eventlet's hub does not survive it: "
        "https://eventlet.readthedocs.io/en/latest/fork.html",
    ),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]


def in_child(work: Any) -> Any:
    """What *work* returns in a forked child, which then ends without any clean-up but ours."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        answer: object = "nothing"
        try:
            answer = work()
        except BaseException as error:
            answer = repr(error)
        finally:
            os.write(writer, json.dumps(answer).encode() + b"\n")
            os._exit(0)
    with os.fdopen(reader) as pipe:
        answer = json.loads(pipe.readline())
    os.close(writer)
    os.waitpid(pid, 0)
    return answer


@pytest.mark.skipif(
    HUB != "gevent",
    reason="greenlets survive a fork: https://www.gevent.org/api/gevent.os.html",
)
def test_a_connect_that_is_under_way_stays_with_the_parent(database: Any, proxy: Proxy) -> None:
    one = database(proxy.settings, MAX_CONNS=1)
    proxy.slow(20, 0.05)
    task = spawn(one.query, "SELECT 42")
    until(lambda: one.pool.stats().opening == 1 and proxy.counts().connects)
    pause(0.1)  # in the midst of the login

    def work() -> str:
        pause(1)  # the child's hub goes on with the connect that it has inherited
        return "ended"

    assert in_child(work) == "ended"
    assert task.result() == 42


def test_a_child_warns_of_nothing_that_its_parent_holds_or_waits_for(
    database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LONG_WAIT", 0.2)
    one, go_on = database(MAX_CONNS=1, LEAK_THRESHOLD=0.3), Event()
    told: list[str] = []

    def hold() -> None:
        one.query("SELECT 1")
        go_on.wait(30)
        one.connection.close()

    tasks = [spawn(hold), spawn(hold)]
    until(lambda: one.pool.stats().waiting == 1)

    def work() -> list[str]:
        watch.logger.warning = lambda text, *values: told.append(text % values)  # type: ignore
        pause(1)  # the child's hub goes on with the timers that it has inherited
        return told

    assert in_child(work) == []
    go_on.set()
    for task in tasks:
        task.result()


def test_a_child_never_uses_or_ends_the_parents_sessions(database: Any) -> None:
    three = database(MAX_CONNS=3)
    three.warm(3)
    until(lambda: three.pool.stats().idle == 3)
    three.connection.set_autocommit(False)  # one of them is checked out, in a transaction
    held = three.query("SELECT pg_backend_pid()")
    parents = three.sessions()

    def work() -> list[int]:
        pids = [three.query("SELECT pg_backend_pid()")]
        three.connection.close()
        three.connection.close_pool()
        return pids

    children = in_child(work)
    assert not set(children) & set(parents)
    assert three.query("SELECT pg_backend_pid()") == held
    assert three.sessions() == parents
