"""multiprocessing's fork, in programs of their own: hub by hub, with connections held and idle."""

from __future__ import annotations

import os
from textwrap import dedent

import pytest

from .scripts import run
from .test_green import needs

pytestmark = [
    pytest.mark.skipif(
        not hasattr(os, "fork"), reason="https://docs.python.org/3/library/multiprocessing.html"
    ),
    pytest.mark.session("the programs know their sessions by their pids"),
]

# gevent listens to SIGCHLD from its first fork on only. A child that has ended by then is not
# heard, and with nothing else to wake its hub up join() waits for ever: see
# https://github.com/gevent/gevent/issues/622
PATCHED = """from gevent import get_hub, monkey
monkey.patch_all()
get_hub().loop.install_sigchld()
"""

# One connection held in a transaction, two idle; every session carries the parent's name.
PROGRAM = """
import json, multiprocessing, os, threading, time
settings(MAX_CONNS=9, application_name=f"parent-{os.getpid()}")
from django.db import connection
NAME = f"parent-{os.getpid()}"

def ask(sql, *params):
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchone()[0]

def sessions():
    return ask("SELECT array_agg(pid ORDER BY pid) FROM pg_stat_activity"
               " WHERE application_name = %s", NAME)

def use_and_return():
    ask("SELECT pg_sleep(0.1) IS NULL")
    connection.close()

connection.set_autocommit(False)
held = ask("SELECT pg_backend_pid()")
threads = [threading.Thread(target=use_and_return) for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
parents = sessions()
assert len(parents) == 3, parents

fork = multiprocessing.get_context("fork")

def in_children(work, number=1):
    pipes = [fork.Pipe(duplex=False) for _ in range(number)]
    children = [fork.Process(target=work, args=[writer]) for _, writer in pipes]
    for child in children: child.start()
    for child in children: child.join(30)
    assert [child.exitcode for child in children] == [0] * number
    return [reader.recv() for reader, _ in pipes]

def own_session(answer):
    answer.send(ask("SELECT pg_backend_pid()"))

def in_threads(answer):
    found = []
    threads = [threading.Thread(target=lambda: found.append(ask("SELECT pg_backend_pid()")))
               for _ in range(6)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    answer.send(found)
    connection.geventpool.close()

def close_everything(answer):
    connection.close()
    connection.close_pool()
    answer.send("closed")

def unharmed():
    assert ask("SELECT pg_backend_pid()") == held
    deadline = time.monotonic() + 30
    while sessions() != parents:
        assert time.monotonic() < deadline, (sessions(), parents)
        time.sleep(0.01)
    found = []
    def borrow(): found.append(ask("SELECT pg_backend_pid()"))
    thread = threading.Thread(target=borrow); thread.start(); thread.join()
    assert found[0] in parents
    print("unharmed on", connection.geventpool._hub.NAME)
"""


@pytest.fixture(params=["gevent", "threads"])
def hub(request: pytest.FixtureRequest) -> str:
    if request.param == "gevent":
        needs("gevent")
    return str(request.param)


def program(hub: str, work: str) -> str:
    return run((PATCHED if hub == "gevent" else "") + PROGRAM + dedent(work) + "\nunharmed()\n")


def test_children_open_sessions_of_their_own(hub: str) -> None:
    output = program(
        hub,
        """
        children = in_children(own_session, 3)
        assert len(set(children)) == 3, children
        assert not set(children) & set(parents), (children, parents)
        """,
    )
    assert f"unharmed on {hub}" in output


def test_children_use_their_pool_from_several_tasks(hub: str) -> None:
    output = program(
        hub,
        """
        (found,) = in_children(in_threads)
        assert len(found) == 6 and 1 <= len(set(found)) <= 6, found
        assert not set(found) & set(parents), (found, parents)
        """,
    )
    assert f"unharmed on {hub}" in output


def test_a_child_that_closes_everything_closes_nothing_of_its_parents(hub: str) -> None:
    output = program(hub, "assert in_children(close_everything) == ['closed']")
    assert f"unharmed on {hub}" in output


def test_a_fork_while_a_query_runs_does_not_take_its_answer_away() -> None:
    """The child of a greenlet inherits all others, and its hub goes on with them."""
    needs("gevent")
    output = run(
        PATCHED
        + PROGRAM
        + """
answers = []
threads = [threading.Thread(target=lambda: answers.append(ask("SELECT 42 FROM pg_sleep(1)")))
           for _ in range(8)]
for thread in threads: thread.start()
while ask("SELECT count(*) FROM pg_stat_activity"
          " WHERE application_name = %s AND query LIKE %s", NAME, "SELECT 42%%") < 8:
    ask("SELECT pg_stat_clear_snapshot() IS NULL")  # this is all one transaction
    time.sleep(0.01)

def wait_a_little(answer):
    time.sleep(2)
    answer.send(ask("SELECT 43"))

assert in_children(wait_a_little) == [43]
deadline = time.monotonic() + 5
for thread in threads: thread.join(max(0, deadline - time.monotonic()))
print("answers of the parent:", answers, flush=True)
os._exit(0)  # who waits for an answer that the child has taken would wait for ever
"""
    )
    assert f"answers of the parent: {[42] * 8}" in output
