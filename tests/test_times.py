"""What time does to a pool, on a clock that the test moves."""

from __future__ import annotations

import gc
import weakref
from typing import Callable

from django_db_geventpool.drivers import State
from django_db_geventpool.errors import PoolClosed, PoolTimeout

from .plugin_world import Client, make_pool, use
from .world import Connection, Opener, Refused, World


def test_what_nobody_uses_for_max_idle_is_closed_down_to_min_conns(world: World) -> None:
    pool = make_pool(world, MAX_CONNS=4, MIN_CONNS=1, MAX_IDLE=60)
    use(world, pool, number=4)
    world.pass_time(59)
    assert pool.stats().idle == 4
    world.pass_time(1)
    assert pool.stats().idle == world.open_sessions() == 1


def test_what_is_used_again_and_again_stays_and_the_rest_goes(world: World) -> None:
    pool = make_pool(world, MAX_CONNS=4, MAX_IDLE=60)
    use(world, pool, number=4)
    for _ in range(13):
        world.pass_time(5)
        use(world, pool)
    assert pool.stats().idle == world.open_sessions() == 1


def test_a_connection_in_use_is_never_retired_but_on_its_return(world: World) -> None:
    pool = make_pool(world, MAX_CONNS=2, MAX_LIFETIME=50, MAX_IDLE=1)
    client = Client(world, pool)
    connection = client.checkout.connection
    world.pass_time(80)
    assert connection.state is State.READY and pool.stats().in_use == 1
    client.give()
    assert connection.state is State.DEAD
    assert pool.stats().empty == 2 and world.open_sessions() == 0


def test_an_idle_connection_whose_lifetime_is_over_is_closed(world: World) -> None:
    pool = make_pool(world, MAX_LIFETIME=50, MAX_IDLE=None)
    use(world, pool)
    world.pass_time(44)
    assert pool.stats().idle == 1
    world.pass_time(6)
    assert pool.stats().empty == 4 and world.open_sessions() == 0


def test_a_connection_of_min_conns_is_replaced_when_its_lifetime_is_over(world: World) -> None:
    pool = make_pool(world, MIN_CONNS=1, MAX_LIFETIME=50)
    use(world, pool)
    (first,) = world.sessions
    world.pass_time(50)
    assert first.ended and len(world.sessions) == 2
    assert pool.stats().idle == world.open_sessions() == 1


def test_connections_that_were_opened_together_are_not_replaced_together(world: World) -> None:
    pool = make_pool(world, MAX_CONNS=50, MAX_LIFETIME=1000)
    clients = [Client(world, pool) for _ in range(50)]
    ends = {client.checkout.session.expires_at for client in clients}
    assert len(ends) == 50
    assert 900 <= min(ends) < 920 and 980 < max(ends) <= 1000


def test_the_timer_keeps_no_pool_alive(world: World) -> None:
    pool = make_pool(world, MAX_IDLE=60)
    use(world, pool)
    reference = weakref.ref(pool)
    del pool
    gc.collect()
    assert reference() is None
    world.pass_time(60)


def refuse() -> Connection:
    raise Refused


def test_a_server_that_is_down_is_asked_at_most_a_few_times_in_a_second(world: World) -> None:
    pool, opener, tried = make_pool(world, MAX_CONNS=20), Opener(world), []
    opener.connect = lambda: tried.append(world.monotonic()) or refuse()  # type: ignore
    clients = [Client(world, pool, opener) for _ in range(50)]
    world.pass_time(0)
    for _ in range(100):  # each asks again at once when it was told
        world.pass_time(0.1)
        clients = [
            Client(world, pool, opener) if client.error is not None else client
            for client in clients
        ]
    assert 20 <= len(tried) <= 60  # in ten seconds
    gaps = {round(late - early, 6) for early, late in zip(tried, tried[1:])}
    assert len(gaps) > 5 and max(gaps) < 0.7, "with jitter"


def test_service_is_back_at_once_when_the_server_is(world: World) -> None:
    pool, opener = make_pool(world, MAX_CONNS=20), Opener(world)
    connect, opener.connect = opener.connect, refuse  # type: ignore[method-assign]
    for _ in range(20):
        Client(world, pool, opener)
        world.pass_time(1)
    Client(world, pool, opener)  # it is told at once
    clients = [Client(world, pool, opener) for _ in range(20)]
    opener.connect = connect  # type: ignore[method-assign]
    world.pass_time(0.5)
    assert all(client.checkout for client in clients)


def test_a_failed_connect_is_told_to_all_when_nothing_is_left_to_wait_for(world: World) -> None:
    pool, opener = make_pool(world, MAX_CONNS=1), Opener(world)
    opener.connect = lambda: (world.sleep(1), refuse())[1]  # type: ignore[method-assign]
    clients = [Client(world, pool, opener) for _ in range(10)]
    world.pass_time(1)
    errors = [client.error for client in clients]
    assert all(isinstance(error, Refused) for error in errors)
    assert len({id(error) for error in errors}) == 10, "each its own, with its own traceback"


def test_a_failed_connect_is_told_to_one_when_a_connection_may_come_back(world: World) -> None:
    pool, opener = make_pool(world, MAX_CONNS=2), Opener(world)
    holder = Client(world, pool, opener)
    opener.connect = refuse  # type: ignore[method-assign]
    clients = [Client(world, pool, opener) for _ in range(3)]
    assert [type(client.error) for client in clients] == [Refused, type(None), type(None)]
    holder.give()
    assert clients[1].checkout is not None


def test_a_timeout_while_the_server_is_down_says_so(world: World) -> None:
    pool, opener = make_pool(world, MAX_CONNS=2, WAIT_TIMEOUT=0), Opener(world)
    holder = Client(world, pool, opener)
    opener.connect = refuse  # type: ignore[method-assign]
    clients = [Client(world, pool, opener) for _ in range(3)]
    world.pass_time(5)
    told = [str(client.error) for client in clients if isinstance(client.error, PoolTimeout)]
    assert told and "1 connects in a row failed" in told[0]
    holder.give()


def test_closing_waits_for_what_is_held_and_tells_whether_all_is_gone(world: World) -> None:
    pool, answers = make_pool(world), []
    client = Client(world, pool)
    world.start("closer", lambda: answers.append(pool.close(timeout=5)))
    world.pass_time(4)
    assert answers == []
    client.give()
    assert answers == [True] and world.open_sessions() == 0


def test_closing_waits_no_longer_than_it_is_told(world: World) -> None:
    pool, answers = make_pool(world), []
    client = Client(world, pool)
    world.start("closer", lambda: answers.append(pool.close(timeout=5)))
    world.pass_time(5)
    assert answers == [False]
    client.give()
    assert world.open_sessions() == 0


def test_a_pool_that_is_opened_again_counts_what_is_still_held(world: World) -> None:
    pool = make_pool(world, MAX_CONNS=1)
    holder = Client(world, pool)
    old = holder.checkout.connection
    world.start("closer", pool.close, 0)
    world.pass_time(0)
    assert isinstance(Client(world, pool).error, PoolClosed)
    pool.open()
    waiting = Client(world, pool)
    assert waiting.checkout is None
    holder.give()
    assert waiting.checkout.connection is not old
    assert old.state is State.DEAD and world.open_sessions() == 1


def test_with_discard_the_return_itself_does_nothing_on_the_connection(world: World) -> None:
    pool = make_pool(world, MAX_CONNS=1, RESET="discard")
    client = Client(world, pool)
    connection = client.checkout.connection
    statements: list[str] = []
    statement: Callable[..., None] = connection.statement
    connection.statement = lambda *leaves: (
        statements.append(world.current.kind),
        statement(*leaves),
    )
    client.give()
    assert statements == ["_release_parted", "_release_parted"]  # DISCARD ALL, and the set-up
    assert pool.stats().idle == 1


def test_a_connection_that_cannot_be_renewed_is_dropped(world: World) -> None:
    pool = make_pool(world, MAX_CONNS=1, RESET="discard")
    client = Client(world, pool)
    client.checkout.connection.server.end()
    client.give()
    assert pool.stats().empty == 1


def test_time_limits_hold_in_a_pool_that_was_opened_again(world: World) -> None:
    pool = make_pool(world, MAX_IDLE=60)
    use(world, pool)
    world.start("closer", pool.close, 0)
    world.pass_time(0)
    pool.open()
    use(world, pool)
    assert pool.stats().idle == 1
    world.pass_time(60)
    assert pool.stats().idle == world.open_sessions() == 0


def test_a_server_that_falls_silent_after_the_login_is_given_up(world: World) -> None:
    pool, opener = make_pool(world, MAX_CONNS=1), Opener(world)
    opener.set_up = lambda connection: world.sleep(1000)  # type: ignore[method-assign]
    client = Client(world, pool, opener)
    world.pass_time(10)
    assert "could not be set up within 5 s" in str(client.error)
    assert pool.stats().empty == 1 and world.open_sessions() == 0
