"""Native threads in a process that gevent has patched: within the same limit, and no hang."""

from __future__ import annotations

from typing import Any

import pytest

from .plugin_hub import HUB
from .tasks import spawn, until, until_freed

if HUB != "gevent":
    pytest.skip("gevent's threadpool needs gevent", allow_module_level=True)

from gevent.threadpool import ThreadPool


@pytest.fixture
def in_thread() -> Any:
    """Run a function in a native thread that ends with the test."""
    threads = ThreadPool(1)
    yield lambda function, *args: threads.spawn(function, *args).get(timeout=30)
    threads.kill()


@pytest.mark.session("a session outlives its client, and has the same pid for the next")
def test_a_native_thread_borrows_and_gives_back(database: Any, in_thread: Any) -> None:
    one = database(MAX_CONNS=1, REUSE_CONNS=0)

    def work() -> Any:
        pid = one.query("SELECT pg_backend_pid()")
        one.connection.close()
        return pid

    assert in_thread(work) != in_thread(work)
    until(lambda: one.pool.stats().empty == 1)
    assert one.query("SELECT 1") == 1


def test_a_native_thread_is_served_by_a_greenlet_and_the_other_way_round(
    database: Any, in_thread: Any
) -> None:
    one = database(MAX_CONNS=1)

    def work() -> Any:
        pid = one.query("SELECT pg_backend_pid()")
        one.connection.close()
        return pid

    pid = one.query("SELECT pg_backend_pid()")
    waiting = spawn(in_thread, work)
    until(lambda: one.pool.stats().waiting == 1)
    one.connection.close()
    assert waiting.result() == pid
    assert one.query("SELECT pg_backend_pid()") == pid


def test_a_native_thread_that_ends_gives_its_connection_back(database: Any) -> None:
    one, threads = database(MAX_CONNS=1), ThreadPool(1)
    threads.spawn(one.query, "SELECT 1").get(timeout=30)
    assert one.pool.stats().in_use == 1
    threads.kill()
    until_freed(lambda: one.pool.stats().idle == 1)
