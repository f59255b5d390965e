"""The pool alone, with a driver that has no server. Order is forced by events."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from threading import Event
from typing import Any, Callable

import pytest
from django.db import OperationalError

from django_db_geventpool import hubs
from django_db_geventpool.checkout import Checkout
from django_db_geventpool.drivers import State
from django_db_geventpool.errors import PoolClosed, PoolError, PoolTimeout
from django_db_geventpool.hubs import READ
from django_db_geventpool.pool import Pool

from .fakes import Borrower, FakeConnection, Opener, WatchedCheckout, make_pool
from .plugin_hub import HUB
from .tasks import pause, spawn, until, until_freed

greenlets_only = pytest.mark.skipif(
    HUB == "threads",
    reason="a thread cannot be killed: https://docs.python.org/3/library/threading.html",
)


@pytest.fixture
def pool() -> Iterator[Callable[..., Pool]]:
    made: list[Pool] = []

    def make(**options: Any) -> Pool:
        made.append(make_pool(**options))
        return made[-1]

    yield make
    for one in made:
        one.close(timeout=0)
        stats = one.stats()
        assert (stats.in_use, stats.opening, stats.waiting) == (0, 0, 0), "the test left some"


class Gate:
    """A connect() that waits until the test lets it through."""

    def __init__(self) -> None:
        self.begun = 0
        self.open = Event()

    def __call__(self) -> FakeConnection:
        self.begun += 1
        assert self.open.wait(30)
        return FakeConnection()


def test_a_connection_that_comes_back_is_lent_again(pool: Any) -> None:
    one = Borrower(pool())
    first = one.take()
    one.give()
    assert one.take() is first
    one.give()


def test_the_slot_is_taken_before_the_connect_begins(pool: Any) -> None:
    four, gate = pool(MAX_CONNS=4), Gate()
    opener = Opener(gate)
    tasks = [spawn(Borrower(four, opener).use) for _ in range(30)]
    until(lambda: four.stats().waiting == 30 and gate.begun == 4)
    assert four.stats().opening == 4
    gate.open.set()
    for task in tasks:
        task.result()
    assert gate.begun == 4
    assert four.stats().idle == 4


def test_waiters_are_served_first_come_first_served(pool: Any) -> None:
    single, served = pool(MAX_CONNS=1), []
    holder = Borrower(single)
    holder.take()

    def use(number: int) -> None:
        borrower = Borrower(single)
        borrower.take()
        served.append(number)
        borrower.give()

    tasks = []
    for number in range(5):
        tasks.append(spawn(use, number))
        until(lambda: single.stats().waiting == len(tasks))
    holder.give()
    for task in tasks:
        task.result()
    assert served == [0, 1, 2, 3, 4]


@greenlets_only  # a thread may run in between, and there is nothing to force
def test_nobody_overtakes_a_waiter_that_was_served_but_has_not_run_yet(pool: Any) -> None:
    single = pool(MAX_CONNS=1)
    holder = Borrower(single)
    holder.take()
    waiting = spawn(Borrower(single).use)
    until(lambda: single.stats().waiting == 1)
    holder.give()
    assert single.stats().idle == 0 and single.stats().in_use == 1
    assert single.holders() == []  # it is on its way
    waiting.result()
    assert single.stats().idle == 1


def test_after_wait_timeout_the_error_tells_the_numbers(pool: Any) -> None:
    two = pool(MAX_CONNS=2, WAIT_TIMEOUT=0.01)
    holders = [Borrower(two), Borrower(two)]
    for holder in holders:
        holder.take()
    with pytest.raises(PoolTimeout) as caught:
        Borrower(two).take()
    assert isinstance(caught.value, OperationalError)
    message = str(caught.value)
    assert message.startswith("pool 'fake': no connection became free within 0.0 s (MAX_CONNS 2, ")
    assert "2 in use, 0 idle, 0 opening, 0 closing, 1 waiting" in message
    assert "raise MAX_CONNS" in message
    for holder in holders:
        holder.give()
    assert two.stats().idle == 2


def test_a_failed_connect_frees_its_slot_for_the_next_waiter(pool: Any) -> None:
    single, gate = pool(MAX_CONNS=1), Event()

    def refuse() -> FakeConnection:
        assert gate.wait(30)
        raise OperationalError("refused")

    failing = spawn(Borrower(single, Opener(refuse)).take)
    until(lambda: single.stats().opening == 1)
    waiting = spawn(Borrower(single).use)
    until(lambda: single.stats().waiting == 2)
    gate.set()
    assert isinstance(failing.error(), OperationalError)
    assert waiting.result() is not None


def test_a_dropped_connection_wakes_the_next_waiter(pool: Any) -> None:
    single = pool(MAX_CONNS=1)
    holder = Borrower(single)
    broken = holder.take()
    waiting = spawn(Borrower(single).use)
    until(lambda: single.stats().waiting == 1)
    broken.close()
    holder.give()
    assert waiting.result() is not broken


def test_a_slot_is_given_on_only_when_its_session_has_ended_on_the_server(pool: Any) -> None:
    single, gate = pool(MAX_CONNS=1), Gate()
    gate.open.set()
    opener = Opener()
    holder = Borrower(single, opener)
    connection = holder.take()
    connection.state, connection.server_answers = State.BUSY, False
    holder.give()
    opener.connect = gate
    waiting = spawn(Borrower(single, opener).use)
    until(lambda: single.stats().waiting == 1)
    assert (single.stats().closing, gate.begun) == (1, 0)
    connection.hang_up()
    waiting.result()
    assert gate.begun == 1


def test_a_server_that_never_answers_holds_the_slot_for_a_limited_time(
    pool: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django_db_geventpool.session.END_TIMEOUT", 0.01)
    borrower = Borrower(pool(MAX_CONNS=1))
    connection = borrower.take()
    connection.state, connection.server_answers = State.BUSY, False
    borrower.give()
    assert borrower.use() is not connection
    connection.hang_up()


@greenlets_only
def test_a_rollback_that_never_ends_costs_the_connection_and_not_the_caller(
    pool: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django_db_geventpool.pool.RESET_TIMEOUT", 0.01)
    borrower = Borrower(pool(MAX_CONNS=1))
    connection = borrower.take()
    connection.state = State.DIRTY
    connection.on_rollback = Event().wait
    borrower.give()
    assert borrower.use() is not connection


def test_surplus_connections_are_closed_down_to_reuse_conns(pool: Any) -> None:
    four = pool(MAX_CONNS=4, REUSE_CONNS=1)
    borrowers = [Borrower(four) for _ in range(4)]
    connections = [borrower.take() for borrower in borrowers]
    for borrower in borrowers:
        borrower.give()
    until(lambda: four.stats().closing == 0)
    assert four.stats().idle == 1
    assert sum(connection.state is State.DEAD for connection in connections) == 3


def test_a_connection_in_a_transaction_is_rolled_back_on_return(pool: Any) -> None:
    borrower = Borrower(pool())
    connection = borrower.take()
    connection.state = State.DIRTY
    borrower.give()
    assert connection.log == ["rollback", "restored as opened"]
    assert borrower.take() is connection
    borrower.give()


@pytest.mark.parametrize("state", [State.BUSY, State.DEAD])
def test_a_connection_in_an_unusable_state_is_never_lent_again(pool: Any, state: State) -> None:
    borrower = Borrower(pool(MAX_CONNS=1))
    connection = borrower.take()
    if state is State.DEAD:
        connection.close()
    connection.state = state
    borrower.give()
    assert borrower.take() is not connection
    assert "close" in connection.log
    assert ("cancel" in connection.log) == (state is State.BUSY)
    borrower.give()


def test_a_cancel_that_comes_before_the_statement_has_begun_is_said_again(pool: Any) -> None:
    """A server throws it away then, and runs the statement that it reads next."""
    borrower = Borrower(pool(MAX_CONNS=1))
    connection = borrower.take()
    connection.state, connection.deaf_to_cancels = State.BUSY, 2
    borrower.give()
    borrower.use()
    assert connection.log == ["cancel", "cancel", "cancel", "close"]


def test_a_statement_that_has_begun_to_answer_is_cancelled_once(pool: Any) -> None:
    """Its answer is thrown away, so that no other may ever come."""
    borrower = Borrower(pool(MAX_CONNS=1))
    connection = borrower.take()
    connection.state, connection.deaf_to_cancels = State.BUSY, 100
    connection.say(b"the answer")
    borrower.give()
    borrower.use()
    assert connection.log == ["cancel", "close"]


@greenlets_only
def test_whoever_waits_on_a_dropped_connection_is_sent_away_before_its_answer_is_read(
    pool: Any,
) -> None:
    borrower = Borrower(pool(MAX_CONNS=1))
    connection = borrower.take()
    connection.state = State.BUSY
    waiting_at_cancel: list[list[int]] = []
    connection.on_cancel = lambda: waiting_at_cancel.append(hubs.load().waited_fds())
    other = spawn(hubs.load().wait_io, connection.fileno(), READ, None)
    pause()
    borrower.give()
    assert "was given back" in str(other.error())
    borrower.use()
    assert waiting_at_cancel == [[]]


@greenlets_only
def test_whoever_begins_to_wait_on_a_connection_that_is_being_ended_is_sent_away(pool: Any) -> None:
    borrower = Borrower(pool(MAX_CONNS=1))
    connection = borrower.take()
    connection.state, connection.deaf_to_cancels = State.BUSY, 100
    others: list[Any] = []

    def begin() -> None:
        if not others:
            others.append(spawn(hubs.load().wait_io, connection.fileno(), READ, 60))

    connection.on_cancel = begin
    borrower.give()
    borrower.use()
    (other,) = others
    assert "was given back" in str(other.error())


def test_a_rollback_that_fails_drops_the_connection_and_raises_nothing(
    pool: Any, caplog: pytest.LogCaptureFixture
) -> None:
    borrower = Borrower(pool(MAX_CONNS=1))
    connection = borrower.take()
    connection.state = State.DIRTY

    def fail() -> None:
        raise OperationalError("password=secret")

    connection.on_rollback = fail
    borrower.give()
    assert borrower.take() is not connection
    assert "its reset failed: OperationalError" in caplog.text
    assert "secret" not in caplog.text
    borrower.give()


def test_what_is_not_checked_out_cannot_be_released(pool: Any) -> None:
    borrower = Borrower(pool())
    borrower.take()
    checkout = borrower.checkout
    borrower.give()
    with pytest.raises(PoolError, match="not checked out"):
        checkout.pool.release(checkout)
    assert checkout.pool.stats().idle == 1


def test_a_checkout_that_was_given_back_can_be_used_again(pool: Any) -> None:
    borrower = Borrower(pool(MAX_CONNS=1))
    connection, checkout = borrower.take(), borrower.checkout
    borrower.give()
    checkout.pool.acquire(checkout)
    assert checkout.connection is connection
    with pytest.raises(PoolError, match="in use already"):
        checkout.pool.acquire(checkout)
    assert checkout.pool.stats().in_use == 1
    checkout.pool.release(checkout)
    assert checkout.pool.stats().idle == 1


def test_a_checkout_that_waits_cannot_be_used_by_another(pool: Any) -> None:
    single = pool(MAX_CONNS=1)
    holder, waiting = Borrower(single), Borrower(single)
    holder.take()
    checkout = waiting.place()

    def borrow() -> Checkout:
        taken = single.acquire(checkout)
        single.release(taken)  # here: at the end of a thread it would come back by itself
        return taken

    task = spawn(borrow)
    until(lambda: single.stats().waiting == 1)
    with pytest.raises(PoolError, match="in use already"):
        single.acquire(checkout)
    holder.give()
    assert task.result() is checkout


def test_closing_sends_waiters_away_and_closes_held_connections_on_return(pool: Any) -> None:
    single = pool(MAX_CONNS=1)
    holder = Borrower(single)
    held = holder.take()
    waiting = spawn(Borrower(single).take)
    until(lambda: single.stats().waiting == 1)
    single.close(timeout=0)
    assert isinstance(waiting.error(), PoolClosed)
    holder.give()
    until(lambda: single.stats().closing == 0)
    assert held.state is State.DEAD
    with pytest.raises(PoolClosed):
        Borrower(single).take()


def test_a_task_that_ends_without_giving_back_loses_its_connection_to_the_pool(pool: Any) -> None:
    single = pool(MAX_CONNS=1)
    forgetful, shared = Borrower(single), Borrower(single)
    connection = spawn(forgetful.take).result()
    until(lambda: single.stats().idle == 1)
    assert forgetful.checkout is None
    # ... unless it was shared with others on purpose.
    shared.shared = True
    assert spawn(shared.take).result() is connection
    pause(0.01)
    assert single.stats().in_use == 1
    shared.give()


@greenlets_only
def test_a_kill_while_waiting_loses_no_slot(pool: Any) -> None:
    single = pool(MAX_CONNS=1)
    holder = Borrower(single)
    holder.take()
    waiting = spawn(Borrower(single).take)
    until(lambda: single.stats().waiting == 1)
    waiting.kill()
    assert single.stats().waiting == 0
    holder.give()
    assert single.stats().idle == 1


@greenlets_only
def test_a_kill_in_the_moment_of_being_served_hands_the_slot_on(pool: Any) -> None:
    single = pool(MAX_CONNS=1)
    holder = Borrower(single)
    connection = holder.take()
    unlucky = spawn(Borrower(single).take)
    until(lambda: single.stats().waiting == 1)
    waiting = spawn(Borrower(single).use)
    until(lambda: single.stats().waiting == 2)
    # Both happen before the hub runs again: the killed one has been served already.
    unlucky.greenlet.kill(block=False) if HUB == "gevent" else unlucky.greenlet.kill()
    holder.give()
    assert waiting.result() is connection


@greenlets_only
def test_a_kill_while_connecting_lets_the_connect_go_on_for_the_next(pool: Any) -> None:
    single, gate = pool(MAX_CONNS=1), Gate()
    connecting = spawn(Borrower(single, Opener(gate)).take)
    until(lambda: gate.begun)
    connecting.kill()
    assert (single.stats().opening, single.stats().waiting) == (1, 0)
    gate.open.set()
    until(lambda: single.stats().idle == 1)


def test_a_connection_that_comes_back_serves_whoever_waits_for_a_connect(pool: Any) -> None:
    two, gate = pool(MAX_CONNS=2), Gate()
    opener = Opener()
    holder = Borrower(two, opener)
    connection = holder.take()
    opener.connect = gate
    waiting = spawn(Borrower(two, opener).use)
    until(lambda: gate.begun)
    holder.give()
    assert waiting.result() is connection
    gate.open.set()
    until(lambda: two.stats().idle == 2)


def test_a_caller_for_whom_a_connection_is_being_opened_does_not_time_out(pool: Any) -> None:
    single, gate = pool(MAX_CONNS=1, WAIT_TIMEOUT=0), Gate()
    waiting = spawn(Borrower(single, Opener(gate)).use)
    until(lambda: gate.begun)
    with pytest.raises(PoolTimeout):
        Borrower(single).take()
    gate.open.set()
    assert waiting.result() is not None


@pytest.mark.skipif(
    HUB != "gevent",
    reason="a kill for later: https://www.gevent.org/api/gevent.greenlet.html#gevent.Greenlet.kill",
)
def test_the_error_of_a_connect_is_not_told_to_who_was_killed_in_that_moment_and_asks_again(
    pool: Any,
) -> None:
    single, gate = pool(MAX_CONNS=1, WAIT_TIMEOUT=0.01), Gate()
    borrower = Borrower(single, Opener(gate))
    checkout = borrower.place()

    def refuse() -> FakeConnection:
        gate().close()
        asking.greenlet.kill(block=False)  # the error is there before it strikes
        raise OperationalError("refused")

    borrower.opener.connect = refuse
    asking = spawn(single.acquire, checkout)
    until(lambda: gate.begun)
    gate.open.set()
    until(lambda: single.stats().failed_connects == 1)
    asking.join()
    borrower.opener.connect = FakeConnection
    holder = Borrower(single)
    holder.take()
    with pytest.raises(PoolTimeout):
        single.acquire(checkout)
    holder.give()


def test_a_dead_idle_connection_is_noticed_and_replaced(pool: Any) -> None:
    single = pool(MAX_CONNS=1)
    dead = Borrower(single).use()
    dead.hang_up()
    assert Borrower(single).use() is not dead
    assert dead.state is State.DEAD


def test_kinds_are_not_mixed_and_count_within_one_limit(pool: Any) -> None:
    two = pool(MAX_CONNS=2)
    red_opener, blue_opener = Opener(), Opener()
    red, blue = Borrower(two, red_opener), Borrower(two, blue_opener)
    reds = {Borrower(two, red_opener).use() for _ in range(3)}
    assert len(reds) == 1
    assert blue.take() not in reds
    assert red.take() in reds
    waiting = spawn(Borrower(two, blue_opener).use)  # both slots are taken, one by a red one
    until(lambda: two.stats().waiting == 1)
    red.give()
    assert waiting.result() not in reds
    assert reds.pop().state is State.DEAD
    blue.give()


def test_a_connect_that_fails_is_told_to_those_who_wait_for_its_kind_only(pool: Any) -> None:
    two, gate, never = pool(MAX_CONNS=2), Event(), Gate()

    def refuse() -> FakeConnection:
        assert gate.wait(30)
        raise OperationalError("refused")

    blue = spawn(Borrower(two, Opener(never)).use)
    until(lambda: two.stats().opening == 1)
    red = spawn(Borrower(two, Opener(refuse)).use)
    until(lambda: two.stats().opening == 2)
    gate.set()
    assert isinstance(red.error(), OperationalError)
    never.open.set()
    assert blue.result() is not None


def test_cursors_of_one_borrower_are_closed_for_the_next(pool: Any) -> None:
    class Cursor:
        def close(self) -> None:
            closed.append(self)

    closed: list[Cursor] = []
    borrower = Borrower(pool(MAX_CONNS=1))
    borrower.take()
    cursor = Cursor()
    borrower.checkout.session.add_cursor(cursor)
    borrower.give()
    assert closed == [cursor]


def test_a_finalizer_that_strikes_under_the_lock_may_give_back_and_not_borrow(
    pool: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A garbage collection closes an iterator that nobody has any more, wherever that is."""
    two = pool(MAX_CONNS=2)
    one, abandoned = Borrower(two), Borrower(two)
    one.take()
    abandoned.take()
    place, errors = two._place, []

    def finalize() -> None:
        abandoned.give()
        try:
            one.take()
        except PoolError as error:
            errors.append(str(error))

    def interrupted(session: Any, now: float) -> Any:
        monkeypatch.undo()
        finalize()
        return place(session, now)

    monkeypatch.setattr(two, "_place", interrupted)
    one.give()
    until(lambda: two.stats().idle == 2)
    assert errors == ["pool 'fake': a connection was asked for by a finalizer"]


def test_a_borrower_that_is_dropped_loses_its_connection_to_the_pool(pool: Any) -> None:
    single = pool(MAX_CONNS=1)
    forgotten = Borrower(single)
    forgotten.take()
    del forgotten
    gc.collect()
    until(lambda: single.stats().idle == 1)


def test_a_checkout_is_tied_to_the_task_that_borrowed_with_it_last(pool: Any) -> None:
    single = pool(MAX_CONNS=1)
    borrower = Borrower(single)
    checkout = borrower.place()
    first_may_end, second_may_end = Event(), Event()

    def borrow_and_give_back() -> None:
        single.release(single.acquire(checkout))
        assert first_may_end.wait(30)

    def borrow() -> None:
        single.acquire(checkout)
        assert second_may_end.wait(30)

    first = spawn(borrow_and_give_back)
    until(lambda: single.stats().checkouts == 1)
    second = spawn(borrow)
    until(lambda: single.stats().checkouts == 2)
    first_may_end.set()
    first.result()
    pause(0.01)
    assert single.stats().in_use == 1 and checkout.session is not None
    second_may_end.set()
    second.result()
    until(lambda: single.stats().idle == 1)
    assert checkout.session is None


def test_what_the_parents_threads_hold_is_not_taken_back_in_a_forked_child(pool: Any) -> None:
    """They and what they had are freed there before the child lets go of the parent's pool."""
    single = pool(MAX_CONNS=1)
    single.pid += 1  # as in a child
    forgotten = Borrower(single)
    forgotten.take()
    checkout = forgotten.checkout
    del forgotten
    gc.collect()
    pause(0.01)
    assert single.stats().in_use == 1
    single.release(checkout)


@greenlets_only
def test_a_dropped_borrowers_connection_comes_back_when_its_task_ends_at_the_latest(
    pool: Any, monkeypatch: Any
) -> None:
    """A collection in a thread of eventlet's own frees it: nothing runs on that thread's hub."""
    single, taken, may_end = pool(MAX_CONNS=1), Event(), Event()
    monkeypatch.setattr(single, "call_soon", lambda *_: None)

    def take_and_forget() -> None:
        Borrower(single).take()
        gc.collect()
        taken.set()
        assert may_end.wait(30)

    task = spawn(take_and_forget)
    assert taken.wait(30)
    assert single.stats().in_use == 1
    may_end.set()
    task.result()
    until(lambda: single.stats().idle == 1)


def test_late_word_of_an_earlier_borrowers_end_takes_nothing_away(pool: Any) -> None:
    single = pool(MAX_CONNS=1)
    borrower = Borrower(single)
    checkout = borrower.place()
    spawn(lambda: single.release(single.acquire(checkout))).result()
    word = checkout.owner
    single.acquire(checkout)
    checkout(word)
    pause(0.01)
    assert single.stats().in_use == 1
    single.release(checkout)


def test_a_borrower_that_is_dropped_leaves_nothing_with_those_who_used_it(pool: Any) -> None:
    """Greenlets or threads that live on: a worker's, for example."""
    one, may_end = pool(MAX_CONNS=1), Event()
    borrower = Borrower(one)
    given = [borrower.place(WatchedCheckout)]
    left = weakref.ref(given[0])

    def use_and_live_on() -> None:
        one.release(one.acquire(given[0]))
        assert may_end.wait(30)

    first = spawn(use_and_live_on)
    until(lambda: (one.stats().checkouts, one.stats().idle) == (1, 1))
    second = spawn(use_and_live_on)
    until(lambda: (one.stats().checkouts, one.stats().idle) == (2, 1))
    given.clear()
    del borrower
    until_freed(lambda: left() is None)
    may_end.set()
    first.result()
    second.result()


def test_a_failed_connect_keeps_nothing_of_it_alive(pool: Any) -> None:
    class HalfOpen: ...

    seen: list[Any] = []

    def refuse() -> FakeConnection:
        half_open = HalfOpen()
        seen.append(weakref.ref(half_open))
        raise OperationalError("refused")

    with pytest.raises(OperationalError) as caught:
        Borrower(pool(), Opener(refuse)).take()
    gc.collect()
    assert caught.value is not None and seen[0]() is None


@greenlets_only
def test_a_kill_while_returning_drops_the_connection(pool: Any) -> None:
    single, begun = pool(MAX_CONNS=1), Event()
    borrower = Borrower(single)

    def stuck() -> None:
        begun.set()
        pause(30)

    def use() -> None:
        connection = borrower.take()
        connection.state = State.DIRTY
        connection.on_rollback = stuck
        borrower.give()

    returning = spawn(use)
    assert begun.wait(30)
    returning.kill()
    until(lambda: single.stats().empty == 1)


def test_a_return_that_goes_on_in_a_forked_child_touches_nothing_any_more() -> None:
    pool, begun, may_go_on = make_pool(MAX_CONNS=1), Event(), Event()
    borrower = Borrower(pool)
    connection = borrower.take()
    connection.state = State.DIRTY

    def wait() -> None:
        begun.set()
        assert may_go_on.wait(30)

    connection.on_rollback = wait
    returning = spawn(borrower.give)
    assert begun.wait(30)
    (session,) = pool.abandon()
    may_go_on.set()
    returning.result()
    pause(0.01)
    assert connection.log[0] == "rollback" and "close" not in connection.log
    session.close()


def test_repr_tells_the_numbers(pool: Any) -> None:
    assert repr(pool(MAX_CONNS=3)) == (
        "<Pool 'fake': MAX_CONNS 3, 0 in use, 0 idle, 0 opening, 0 closing, 0 waiting>"
    )
