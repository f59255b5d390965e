"""Celery on a real Redis: tasks as greenlets, and in forked processes."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from uuid import uuid4

import pytest
from celery import Celery
from celery.exceptions import TimeLimitExceeded

from matrix.postgres import ServerAbsent
from matrix.processes import started

from ..tasks import TIMEOUT, until
from .running import PRELOAD, PYTHON, SITE, Running, Start

#: CELERY_DB_REUSE_MAX makes Celery close connections only after every so many tasks.
REUSE = {"SITE_REUSE": "4"}


@pytest.fixture(scope="module")
def redis() -> Iterator[str]:
    """The URL of a Redis."""
    try:
        with started("tests.servers.redis_server", {}) as (port, password, _):
            yield f"redis://:{password}@127.0.0.1:{port}/0"
    except ServerAbsent as reason:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{reason} https://redis.io/")


class Queue:
    """A queue of tasks, and a worker for it that can end and be started again."""

    worker: Running

    def __init__(self, start: Start, redis: str) -> None:
        self.name = f"queue-{uuid4()}"
        self._start, self._redis = start, redis
        self._client = Celery(broker=redis, backend=redis, set_as_current=False)

    def work(self, pool: str, at_once: int, **environ: str) -> Running:
        """A worker, once it is ready."""
        command: list[object] = [*PYTHON, "-m", "celery", "-A", f"{SITE}.celery_app", "worker"]
        command += ["-P", pool, "-c", at_once, "-Q", self.name, "--loglevel", "INFO"]
        command += ["--without-mingle", "--without-gossip"]
        self.worker = self._start(*command, SITE_REDIS=self._redis, **environ)
        self.worker.said(r"celery@\S+ ready")
        return self.worker

    def send(self, task: str, *args: Any, **options: Any) -> Any:
        return self._client.send_task(task, args, queue=self.name, **options)

    def do(self, task: str, *args: Any, **options: Any) -> Any:
        """Send it, and wait for what it returns."""
        return self.send(task, *args, **options).get(timeout=TIMEOUT)

    def visits(self, number: int, seconds: float) -> dict[str, Any]:
        """So many tasks, by the key that each of them leaves in the database."""
        keys = [f"{self.name}-{uuid4()}" for _ in range(number)]
        return {key: self.send("visit", key, seconds) for key in keys}

    def terminate(self, *tasks: Any) -> None:
        self._client.control.revoke([task.id for task in tasks], terminate=True)

    def stats(self) -> Any:
        return self.do("stats")

    def is_at_rest(self) -> bool:
        stats = self.stats()
        return bool(stats["in_use"] == stats["closing"] == stats["waiting"] == 0)

    def ended_by(self) -> list[str]:
        """What has ended the tasks that took too long."""
        return re.findall(r"ended by: (\w+)", self.worker.log())

    def close(self) -> None:
        self._client.close()


@pytest.fixture
def queue(start: Start, redis: str) -> Iterator[Queue]:
    with closing(Queue(start, redis)) as one:
        yield one


@pytest.fixture(scope="module", params=[{}, REUSE], ids=["", "reuse"])
def greenlets(request: pytest.FixtureRequest, start_once: Start, redis: str) -> Iterator[Queue]:
    """With a worker that runs its tasks in 20 greenlets."""
    with closing(Queue(start_once, redis)) as one:
        one.work("gevent", 20, **request.param)
        yield one
        one.worker.end()


@pytest.fixture(scope="module")
def processes(start_once: Start, redis: str) -> Iterator[Queue]:
    """With a worker that runs its tasks in two processes."""
    with closing(Queue(start_once, redis)) as one:
        one.work("prefork", 2, **PRELOAD)
        yield one
        one.worker.end()


# -- greenlets


def assert_all_slots_serve(queue: Queue) -> None:
    until(queue.is_at_rest)
    tasks = queue.visits(9, 0.5)
    until(lambda: queue.stats()["in_use"] == 3)
    for key, task in tasks.items():
        assert task.get(timeout=TIMEOUT)["key"] == key
    until(queue.is_at_rest)
    assert len(queue.worker.sessions()) == queue.stats()["idle"] == 3
    assert queue.stats()["hub"] == "gevent"


def test_the_statement_of_a_greenlet_at_its_hard_time_limit_is_cancelled(greenlets: Queue) -> None:
    tasks = [greenlets.send("stay", 60, time_limit=1) for _ in range(3)]
    for task in tasks:
        with pytest.raises(TimeLimitExceeded):
            task.get(timeout=TIMEOUT)
    assert greenlets.ended_by().count("Timeout") == 3
    until(lambda: not greenlets.worker.sessions("active"))
    assert_all_slots_serve(greenlets)


def test_the_statement_of_a_revoked_greenlet_is_cancelled(greenlets: Queue) -> None:
    """Of five tasks two wait for a connection: they are ended while they do."""
    tasks = [greenlets.send("stay", 60) for _ in range(5)]
    until(lambda: len(greenlets.worker.sessions("active")) == 3)
    until(lambda: greenlets.stats()["waiting"] == 2)
    greenlets.terminate(*tasks)
    until(lambda: greenlets.ended_by().count("GreenletExit") == 5)
    until(lambda: not greenlets.worker.sessions("active"))
    assert_all_slots_serve(greenlets)


def test_a_greenlet_that_is_tried_again_gets_another_session(greenlets: Queue) -> None:
    assert greenlets.do("lose", 2) == 2
    assert_all_slots_serve(greenlets)


def test_the_sessions_of_a_worker_that_is_killed_outright_end(queue: Queue) -> None:
    worker = queue.work("gevent", 20)
    for _ in range(3):
        queue.send("stay", 60)
    until(lambda: len(worker.sessions("active")) == 3)
    worker.stop(signal.SIGKILL)
    until(lambda: not worker.sessions())


# -- processes


def test_children_open_sessions_of_their_own(processes: Queue) -> None:
    """The worker itself has asked the database before it forked."""
    parents = int(processes.worker.said(r"the worker's session: (\d+)"))
    found: dict[int, set[int]] = {}
    while len(found) < 2:
        for task in processes.visits(12, 0.1).values():
            answer = task.get(timeout=TIMEOUT)
            found.setdefault(answer["process"], set()).add(answer["session"])
    first, second = found.values()
    assert len(first) == len(second) == 1
    assert not first & second and parents not in first | second
    assert len(processes.worker.sessions()) <= 2 + 1


def test_the_session_of_a_child_that_is_killed_ends(processes: Queue) -> None:
    """At its hard time limit, by SIGKILL; and when its task is revoked, by SIGTERM."""
    worker = processes.worker
    with pytest.raises(TimeLimitExceeded):
        processes.do("stay", 60, time_limit=1)
    until(lambda: not worker.sessions("active"))
    revoked = processes.send("stay", 60)
    until(lambda: len(worker.sessions("active")) == 1)
    processes.terminate(revoked)
    until(lambda: not worker.sessions("active"))
    for task in processes.visits(6, 0.1).values():
        task.get(timeout=TIMEOUT)
    assert len(worker.sessions()) <= 2 + 1


def test_a_task_that_is_tried_again_gets_another_session(processes: Queue) -> None:
    assert processes.do("lose", 2) == 2


# -- both


@pytest.mark.parametrize(
    ("pool", "at_once", "environ"),
    [("gevent", 20, {}), ("prefork", 2, REUSE)],
    ids=["gevent", "prefork-reuse"],
)
def test_a_warm_shutdown_under_load_loses_no_task(
    queue: Queue, begun: Any, pool: str, at_once: int, environ: dict[str, str]
) -> None:
    """What had begun has ended with the worker; what had not waits for the next one."""
    first = queue.work(pool, at_once, **environ)
    tasks = queue.visits(40, 0.05)
    until(lambda: len(begun(queue.name)) >= 10)
    sessions = len(first.sessions())
    first.stop()
    assert not first.sessions()
    assert all(tasks[key].ready() for key in begun(queue.name))
    queue.work(pool, at_once, **environ)
    for key, task in tasks.items():
        assert task.get(timeout=TIMEOUT)["key"] == key
    # Greenlets share a pool; each process has one of its own, and one task at a time.
    assert 1 <= sessions <= 3
